// The section "Review": the queue of a batch, the worst case first.
import { byId, setHidden, setText } from "./dom.js";

const CLOSED = ["volumeSection", "segmentSection", "modelSection"];
const BUTTONS = ["reviewAcceptButton", "reviewSkipButton", "reviewSliceButton"];

export class Review {
  constructor(link) {
    this.link = link;
    this.filled = "";
    this.hasBegun = false;
    // The queue needs their room.
    for (const id of CLOSED) byId(id).open = false;
  }

  show(part) {
    if (!part.isOpen) return;
    setText("reviewHint", part.hint);
    byId("reviewProgress").max = part.cases;
    byId("reviewProgress").value = part.done;
    setText("reviewProgressLabel", part.opening ? `Opening ${part.opening}…` : part.progress);
    for (const id of BUTTONS) {
      byId(id).disabled = part.case === "" || part.opening !== "";
      setHidden(id, part.case === "");
    }
    setText("reviewAcceptButton", part.accept);
    setHidden("reviewNextButton", part.case !== "" || part.opening !== "" || part.following === "");
    this.fill(part);
    // The page opens the worst case by itself, once.
    if (!this.hasBegun && part.case === "" && part.opening === "" && part.following) this.link.act("reviewNext");
    this.hasBegun = true;
  }

  fill(part) {
    const filled = JSON.stringify([part.columns, part.rows, part.case, part.label]);
    if (filled === this.filled) return;
    this.filled = filled;
    const head = document.createElement("tr");
    head.append(...part.columns.map((title) => cell("th", title)));
    const focused = document.activeElement?.dataset.row;
    byId("reviewTable").replaceChildren(head, ...part.rows.map((row, n) => this.row(row, n, part)));
    byId("reviewTable").querySelector(`[data-row="${focused}"]`)?.focus();
    byId("reviewTable").querySelector("tr.chosen")?.scrollIntoView({ block: "nearest" });
  }

  row(row, number, part) {
    const made = document.createElement("tr");
    const isOpen = row.case === part.case && row.label === part.label;
    made.className = `${isOpen ? "chosen" : ""} ${row.isDone ? "done" : ""}`;
    made.title = row.notes;
    const open = document.createElement("button");
    open.type = "button";
    open.textContent = row.texts[0];
    open.dataset.row = number;
    open.onclick = () => this.link.act("reviewCase", { case: row.case, label: row.label });
    if (isOpen) open.setAttribute("aria-current", "true");
    const first = cell("td", "");
    first.append(open);
    made.append(first, ...row.texts.slice(1).map((text) => cell("td", text)));
    return made;
  }
}

function cell(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (kind === "th") made.scope = "col";
  return made;
}
