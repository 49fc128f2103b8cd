// The section "Consistency".
import { byId, setHidden, setText, span } from "./dom.js";

export function showConsistency(part) {
  byId("showConsistency").checked = part.isOn;
  byId("showContours").checked = part.showsContours;
  setText("consistencyHint", part.hint);
  setText("consistencyScores", part.scores);
  setText("doubtQuestion", part.question);
  setText("spotLabel", part.spot);
  setText("worstSpotButton", part.next);
  byId("worstSpotButton").disabled = !part.hasSpots;
  for (const id of ["belongsButton", "notPartButton"]) byId(id).disabled = !part.question;
  for (const id of ["mapRow", "contourRow"]) setHidden(id, !part.isOn);
  byId("mapLegend").style.background = `linear-gradient(to right, ${part.colors.join(", ")})`;
  byId("planesLegend").replaceChildren(...part.planes.flatMap(({ title, color }) => {
    const swatch = span("swatch", "");
    swatch.style.background = color;
    return [swatch, document.createTextNode(` ${title} `)];
  }));
}
