// Light, dark, or as the system: the user's choice is kept in this browser.
const ORDER = ["system", "light", "dark"];
const KEY = "medsegfm-theme";

export function connectTheme(button) {
  let theme = ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system";
  const apply = () => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.textContent = { system: "Theme", light: "Light", dark: "Dark" }[theme];
  };
  button.onclick = () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    localStorage.setItem(KEY, theme);
    apply();
  };
  apply();
}
