(() => {
  const { $, CHARTS, bytes, positions, dark, number, whole, drawDots, drawSquare, drawChart, measures, nearest, readValue, place, setTheme, preferredTheme } = Drawing;
  const data = JSON.parse($("data").textContent);
  const words = (text) => positions(new Uint16Array(bytes(text).buffer));
  const frames = data.epoch.length;
  const real = words(data.real), fake = words(data.fake), mesh = words(data.manifold), heat = bytes(data.heat);
  const pull = new Float32Array(bytes(data.pull).buffer);
  let frame = 0, playing = false, last = 0, pointer = null;

  const part = (all, i) => all.subarray((i * all.length) / frames, ((i + 1) * all.length) / frames);
  const view = (i) => ({
    fake: part(fake, i), pull: part(pull, i), mesh: part(mesh, i), meshShape: data.mesh,
    heat: part(heat, i), heatReach: data.heat_reach[i], heatSide: data.heat_side,
  });

  function describe() {
    const reach = data.heat_reach[frame];
    const text = `Epoch ${whole(data.epoch[frame])}: ${measures(data, frame, data.baseline, data.of_modes)}, ` +
      `colors from ${number(0.5 - reach, 2)} to ${number(0.5 + reach, 2)}`;
    $("numbers").textContent = text;
    $("scrub").value = frame;
    $("scrub").setAttribute("aria-valuetext", text);
    $("square").setAttribute("aria-label", "Real and generated points on the discriminator's heat map. " + text);
  }

  function draw() {
    drawSquare(view(frame), (context, size) => drawDots(context, size, real, "real"));
    Object.keys(CHARTS).forEach((id) => drawChart(id, data, frame, data.baseline));
    describe();
    readValue(pointer, view(frame), data);
  }
  function go(to) { frame = Math.min(frames - 1, Math.max(0, to)); draw(); }
  function setPlaying(on) {
    playing = on && frames > 1;
    if (playing && frame === frames - 1) frame = 0;
    $("play").textContent = playing ? "Pause" : "Play";
    $("numbers").setAttribute("aria-live", playing ? "off" : "polite");
    last = performance.now();
    if (playing) requestAnimationFrame(tick);
    draw();
  }
  function tick(now) {
    if (!playing) return;
    const due = Math.floor(((now - last) / 1000) * Number($("speed").value));
    if (due > 0) {
      last = now;
      go(frame + due);
      if (frame === frames - 1) return setPlaying(false);
    }
    requestAnimationFrame(tick);
  }
  function speed(step) {
    const list = $("speed");
    list.selectedIndex = Math.min(list.options.length - 1, Math.max(0, list.selectedIndex + step));
  }

  $("scrub").max = frames - 1;
  $("play").addEventListener("click", () => setPlaying(!playing));
  $("scrub").addEventListener("input", () => { const to = Number($("scrub").value); setPlaying(false); go(to); });
  $("theme").addEventListener("click", () => { setTheme(dark() ? "light" : "dark"); draw(); });
  ["heat", "real", "fake", "pull", "manifold"].forEach((id) => $(id).addEventListener("change", draw));
  if (!data.mesh) $("manifold").closest("label").hidden = true;
  ["square", ...Object.keys(CHARTS)].forEach((id) => {
    const canvas = $(id);
    canvas.addEventListener("pointermove", (event) => { pointer = place(event, canvas); readValue(pointer, view(frame), data); });
    canvas.addEventListener("pointerleave", () => { pointer = null; });
    if (id !== "square") canvas.addEventListener("click", (event) => {
      setPlaying(false); go(nearest(id, place(event, canvas).x, data));
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const tag = event.target.tagName, own = tag === "SELECT" || (tag === "INPUT" && event.target.type !== "range");
    if (event.key === " " && tag !== "BUTTON" && !own) { event.preventDefault(); setPlaying(!playing); }
    else if (own || (tag === "INPUT" && event.key !== "+" && event.key !== "-")) return;
    else if (event.key === "ArrowRight") { event.preventDefault(); setPlaying(false); go(frame + 1); }
    else if (event.key === "ArrowLeft") { event.preventDefault(); setPlaying(false); go(frame - 1); }
    else if (event.key === "Home") { event.preventDefault(); setPlaying(false); go(0); }
    else if (event.key === "End") { event.preventDefault(); setPlaying(false); go(frames - 1); }
    else if (event.key === "+" || event.key === "=") speed(1);
    else if (event.key === "-") speed(-1);
  });
  window.addEventListener("resize", draw);
  frame = frames - 1;
  setTheme(preferredTheme());
  draw();
})();
