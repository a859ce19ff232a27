// Moves the bar of a job that runs, and loads the page anew when it has ended.
const bar = document.querySelector("progress[data-events]");
if (bar) {
  const events = new EventSource(bar.dataset.events);
  const label = document.querySelector("[data-percent]");
  events.addEventListener("progress", (event) => {
    bar.value = Number(event.data);
    label.textContent = `${event.data} %`;
  });
  events.addEventListener("ended", () => {
    events.close();
    location.reload();
  });
}
