// A page written by `save`: draws its charts with the plotly that the page holds; they mark the same step.

{
  const packed = atob(document.getElementById("plotly-gzip").textContent);
  providePlotly(Uint8Array.from(packed, (character) => character.charCodeAt(0)));
  const charts = [];
  const choose = (step) => { for (const chart of charts) chart.select(step); };
  for (const figure of document.querySelectorAll("figure.chart")) {
    const step = Number(figure.dataset.stepShown);
    const chart = chartIn(figure.querySelector(".box"), { dark: DARK, step, onStep: choose });
    const json = figure.querySelector('script[type="application/json"]').textContent;
    plotly().then(() => chart.draw(json)); // the still image stays until then
    charts.push(chart);
    choose(step);
  }
}
