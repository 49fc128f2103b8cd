// The options of the model, and the download of its weights.
import { byId, setHidden, setText } from "./dom.js";

export class Options {
  constructor(link) {
    this.link = link;
    this.made = "";
    const dialog = byId("licence");
    byId("downloadButton").onclick = () => {
      // Escape leaves the answer as it is, which would be that to an earlier question.
      dialog.returnValue = "";
      dialog.model = this.chosen;
      if (this.licence.question) dialog.showModal();
      else link.act("download", { model: this.chosen, accepted: true });
    };
    dialog.onclose = () =>
      link.act("download", { model: dialog.model, accepted: dialog.returnValue === "accept" });
  }

  show({ chosen, options, startHint, canDownload, licence }) {
    this.licence = licence;
    this.chosen = chosen;
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
      field.known = value;
      if (!field.isEdited) field.value = value;
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
    field.oninput = () => (field.isEdited = true);
    field.onchange = () => {
      const { value } = field;
      field.isEdited = false;
      // The server's answer shows the new value, unless it is refused.
      field.value = field.known;
      this.link.act("option", { name: option.name, value });
    };
    return [label, field];
  }
}
