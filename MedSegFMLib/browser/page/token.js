// The token of the address: kept for this tab and this server alone, and sent with each request.
// Nothing but the scripts of this server can read it, unlike a cookie, which every port gets.
const KEY = `medsegfm-token ${location.pathname.replace(/[^/]*$/, "")}`;
const PROTOCOL = "medsegfm";

const typed = () => new URLSearchParams(location.hash.slice(1)).get("token");
const given = typed();
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname);
}
// Another address of this server was typed into the same tab.
window.addEventListener("hashchange", () => typed() && location.reload());

const token = sessionStorage.getItem(KEY) || "none";

// A header of its own: `Authorization` may be that of a sign-on in front of the server.
export const headers = { "X-MedSegFM-Token": token };

export const protocols = [PROTOCOL, token];

export function ask(path) {
  return fetch(path, { headers });
}

// Save an answer of the server as a file of the name that it gives.
export async function download(path) {
  const answer = await ask(path);
  // The server has put the reason into the status line.
  if (!answer.ok) return;
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(await answer.blob());
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60000);
}
