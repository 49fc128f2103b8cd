// The keys of buttons: each button names its own, which its tool tip shows too.
import { byId } from "./dom.js";

export function connectKeys(workstation) {
  const dialog = byId("keys");
  byId("keysButton").onclick = () => dialog.showModal();
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input:not([type='checkbox'], [type='range']), textarea, select");
    if (isTyping || dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      workstation.choose("");
      return;
    }
    const name = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    // "?" needs Shift on most keyboards.
    const key = event.shiftKey && /^[A-Z]$/.test(name) ? `Shift+${name}` : name;
    for (const node of document.querySelectorAll("[aria-keyshortcuts]")) {
      if (node.getAttribute("aria-keyshortcuts") === key && !node.disabled && node.offsetParent) {
        event.preventDefault();
        node.click();
        return;
      }
    }
  });
}
