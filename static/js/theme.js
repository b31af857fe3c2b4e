// Runs before the first paint, so that a chosen theme never flashes; that is why it is no module.
(function () {
  const key = "citefirst.theme";
  const root = document.documentElement;
  let chosen = null;
  try {
    chosen = localStorage.getItem(key);
  } catch {
    // Storage may be forbidden; the system's preference holds then.
  }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  function isDark() {
    if (root.dataset.theme) return root.dataset.theme === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("[data-theme-toggle]")) return;
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(key, root.dataset.theme);
    } catch {
      // The choice then lasts for this page.
    }
  });
})();
