// Draws every plot of the page from the JSON beside it, in the colours of the page's theme.
(function () {
  "use strict";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  // The page's own colours, or ink on paper while it prints.
  function themed(layout, printing) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const ink = printing ? "#16181d" : colour("--ink");
    const line = printing ? "#d5d8de" : colour("--line");
    const result = Object.assign({}, layout, {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: style.fontFamily, size: 13 },
      hoverlabel: { font: { family: style.fontFamily, size: 13 }, align: "left" },
    });
    for (const name of ["xaxis", "yaxis"]) {
      result[name] = Object.assign({ gridcolor: line, linecolor: line, zerolinecolor: line }, layout[name]);
      if (result[name].title) result[name].title.font = { size: 13 };
    }
    return result;
  }

  const plots = Array.from(document.querySelectorAll("script[data-plot]"), (script) => ({
    figure: document.getElementById(script.dataset.plot),
    spec: JSON.parse(script.textContent),
  }));
  // Each plot has its own copy: plotly writes into the layout it is given (zoom, sizes).
  function copy(layout) { return JSON.parse(JSON.stringify(layout)); }
  function drawAll(printing) {
    for (const plot of plots) {
      Plotly.react(plot.figure, plot.spec.data, themed(copy(plot.spec.layout), printing), config);
    }
  }

  drawAll(false);
  dark.addEventListener("change", () => drawAll(false));
  window.addEventListener("beforeprint", () => drawAll(true));
  window.addEventListener("afterprint", () => drawAll(false));
})();
