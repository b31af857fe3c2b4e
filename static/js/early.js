// Runs before the page's modules have come, and where they never do: that is why it is no module. A browser alone would
// take a question into an address, where proxies log it, and show an empty box.
(function () {
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "composer" || event.target.dataset.ready) return;
    event.preventDefault();
    event.target.dataset.early = "yes"; // composer.js asks it
  });

  addEventListener(
    "error",
    (event) => {
      const line = document.getElementById("connection");
      if (!line || !(event.target instanceof HTMLScriptElement)) return;
      line.textContent = "A part of this page could not be loaded. Reload it to ask.";
      line.hidden = false;
    },
    true,
  );
})();
