// The section "Clean up and freeze".
import { byId, fill, setHidden, setText } from "./dom.js";

const CHECKS = ["largestPart", "fillHoles"];
const NUMBERS = ["smoothMm", "minVolumeMl"];

export class Refine {
  constructor(link) {
    this.slices = 0;
    this.part = { canTreat: false };
    byId("treatButton").onclick = () => link.act("treat", this.treatment());
    byId("freezeSlicesButton").onclick = () => {
      const [first, last] = ["freezeFrom", "freezeTo"].map((id) => byId(id).valueAsNumber);
      link.act("freezeSlices", { first, last });
    };
    byId("freezeBoxButton").onclick = () => link.act("freezeBox", { index: Number(byId("freezeBox").value) });
    for (const id of [...CHECKS, ...NUMBERS]) byId(id).addEventListener("input", () => this.enable());
  }

  treatment() {
    const ticked = CHECKS.map((id) => [id, byId(id).checked]);
    const typed = NUMBERS.map((id) => [id, byId(id).valueAsNumber || 0]);
    return Object.fromEntries([...ticked, ...typed]);
  }

  show(part) {
    this.part = part;
    if (part.slices !== this.slices) {
      this.slices = part.slices;
      for (const id of ["freezeFrom", "freezeTo"]) byId(id).max = Math.max(0, part.slices - 1);
      byId("freezeFrom").value = 0;
      byId("freezeTo").value = Math.max(0, part.slices - 1);
    }
    setText("freezeHint", part.shown);
    fill("freezeBox", part.boxes.map(({ index, title }) => ({ value: String(index), title })));
    for (const id of ["freezeBox", "freezeBoxButton"]) setHidden(id, part.boxes.length === 0);
    this.enable();
  }

  enable() {
    const { canTreat, canFreeze } = this.part;
    byId("treatButton").disabled = !canTreat || !Object.values(this.treatment()).some(Boolean);
    for (const id of ["freezeSlicesButton", "freezeBoxButton"]) byId(id).disabled = !canFreeze;
  }
}
