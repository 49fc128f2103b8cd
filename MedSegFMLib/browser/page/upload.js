// Files that the user chooses or drops: sent to the server, with progress.
import { byId } from "./dom.js";
import { headers } from "./token.js";

export function connectUpload(isBusy) {
  const field = byId("files"), bar = byId("uploadProgress");
  let route = "volumes";
  const choose = (wanted) => { route = wanted; field.click(); };
  byId("loadButton").onclick = () => choose("volumes");
  byId("loadSegmentsButton").onclick = () => choose("segments");
  field.onchange = () => {
    if (field.files.length) send([...field.files], route);
    field.value = "";
  };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) send([...event.dataTransfer.files], "volumes");
  });

  function send(files, to) {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", to);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => { bar.value = 100 * loaded / total; };
    request.onloadstart = () => { bar.hidden = false; bar.value = 0; isBusy(true); };
    // The server has put what went wrong into the status line.
    request.onloadend = () => { bar.hidden = true; isBusy(false); };
    request.send(form);
  }
}
