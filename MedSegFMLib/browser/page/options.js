// The options of the model, and the download of its weights.
import { byId, setHidden, setText } from "./dom.js";

export class Options {
  constructor(link) {
    this.link = link;
    this.made = "";
    const dialog = byId("licence");
    byId("downloadButton").onclick = () => {
      if (this.licence.question) dialog.showModal();
      else link.act("download", { accepted: true });
    };
    dialog.onclose = () => link.act("download", { accepted: dialog.returnValue === "accept" });
  }

  show({ chosen, options, startHint, canDownload, licence }) {
    this.licence = licence;
    setHidden("downloadButton", !canDownload);
    setText("licenceQuestion", licence.question);
    setText("licenceAddress", licence.address);
    byId("licenceAddress").href = licence.address;
    setHidden("optionsSection", options.length === 0 && !startHint);
    setText("startHint", startHint);
    const made = JSON.stringify([chosen, options.map(({ name }) => name)]);
    if (made !== this.made) {
      this.made = made;
      byId("modelOptions").replaceChildren(...options.flatMap((option) => this.row(option)));
    }
    for (const { name, value } of options) {
      const field = byId(`option-${name}`);
      if (document.activeElement !== field || field.tagName === "SELECT") field.value = value;
    }
  }

  row(option) {
    const label = document.createElement("label");
    const field = document.createElement(option.choices.length ? "select" : "input");
    field.id = `option-${option.name}`;
    label.htmlFor = field.id;
    label.textContent = option.title;
    label.title = field.title = option.description;
    field.append(...option.choices.map(({ value, title }) => new Option(title, value)));
    if (!option.choices.length) {
      field.type = "text";
      field.placeholder = option.default;
    }
    field.onchange = () => this.link.act("option", { name: option.name, value: field.value });
    return [label, field];
  }
}
