// The section "Compare models".
import { button, byId, fill, setHidden, setRows, setText } from "./dom.js";

export class Comparison {
  constructor(link) {
    this.link = link;
    byId("compareObject").onchange = (event) => link.act("compareObject", { label: Number(event.target.value) });
    byId("compareReference").onchange = (event) => link.act("compareReference", { key: event.target.value });
    byId("compareArrangement").onchange = (event) => link.act("compareArrangement", { arrangement: event.target.value });
    byId("consensusButton").onclick = () => link.act("consensus", { method: byId("consensusMethod").value });
  }

  show(part) {
    setText("compareHint", part.hint);
    byId("compareConsistency").checked = part.consistency;
    byId("compareButton").disabled = !part.canStart;
    setHidden("compareCancelButton", !part.isRunning);
    setHidden("compareCloseButton", !part.isOpen);
    setHidden("compareProgress", !part.isRunning);
    byId("compareProgress").value = part.percent;
    setText("compareStatus", part.status);
    setRows(byId("compareModels"), part.models.map((model) => this.tick(model)));
    setHidden("compareResults", part.results === null);
    if (part.results) this.showResults(part.results);
  }

  tick({ name, title, isTicked, canRun }) {
    const item = document.createElement("li"), label = document.createElement("label");
    label.className = "check";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = isTicked;
    box.disabled = !canRun && !isTicked;
    box.onchange = () => this.link.act("tick", { model: name, on: box.checked });
    label.append(box, title);
    item.append(label);
    return item;
  }

  showResults(part) {
    fill("compareObject", part.objects.map(({ label, name }) => ({ value: String(label), title: name })), String(part.label));
    setHidden("compareObjectRow", part.objects.length < 2);
    const references = part.references.map(({ key, title }) => ({ value: key, title }));
    fill("compareReference", [{ value: "", title: "None" }, ...references], part.reference);
    fill("compareArrangement", part.arrangements.map(({ key, title }) => ({ value: key, title })), part.arrangement);
    setText("compareReferenceNote", part.referenceNote);
    setText("compareNotes", part.notes);
    byId("compareMap").checked = part.showsMap;
    byId("compareMap").disabled = byId("consensusButton").disabled = !part.hasMap;
    fill("consensusMethod", part.methods.map(({ key, title }) => ({ value: key, title })));
    const table = byId("compareTable");
    const heads = part.columns.map(({ short, heading }) => cell("th", short, heading));
    const head = document.createElement("tr");
    head.append(cell("td", "", ""), heads[0], cell("td", "", ""), ...heads.slice(1));
    setRows(table, [head, ...part.rows.map((row) => this.row(row))]);
  }

  row({ model, color, isShown, canTake, cells }) {
    const made = document.createElement("tr"), first = document.createElement("td");
    const swatch = button("", "Show or hide in the views", () => this.link.act("compareShow", { model, on: !isShown }),
      { pressed: isShown, label: `Show ${cells[0]}`, className: "shown" });
    swatch.style.background = isShown ? color : "transparent";
    swatch.style.borderColor = color;
    first.append(swatch);
    const last = document.createElement("td");
    last.append(button("Use", "Replace the segment by this result; Undo restores it",
      () => this.link.act("compareTake", { model }), { disabled: !canTake, label: `Use the result of ${cells[0]}` }));
    made.append(first, cell("th", cells[0], ""), last, ...cells.slice(1).map((text) => cell("td", text, "")));
    return made;
  }
}

function cell(name, text, title) {
  const made = document.createElement(name);
  made.textContent = text;
  made.title = title;
  return made;
}
