"use strict";
const shown = document.getElementById("state");
const stream = new EventSource("api/stream");
stream.addEventListener("state", (event) => {
  shown.textContent = JSON.stringify(JSON.parse(event.data), null, 1);
});
stream.addEventListener("lost", (event) => { shown.textContent = event.data; });
stream.onerror = () => { shown.textContent = "not connected"; };
