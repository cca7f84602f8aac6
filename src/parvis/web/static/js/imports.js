// A file goes to the disk of the platform as it is read here: no limit of a form's size, and one sees how far it is.

const form = document.querySelector("[data-upload]");

form?.addEventListener("submit", (event) => {
  const file = form.querySelector("input[type=file]").files[0];
  if (!file) return;
  event.preventDefault();
  send(file);
});

function send(file) {
  const bar = form.querySelector("[data-upload-progress]");
  const state = form.querySelector("[data-upload-state]");
  const button = form.querySelector("button");
  const request = new XMLHttpRequest();
  request.open("POST", `${form.dataset.upload}?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("content-type", "application/octet-stream");
  request.setRequestHeader("x-form-token", form.elements.form_token.value);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
  });
  request.addEventListener("load", () => {
    const answer = readAnswer(request);
    if (answer.location) location.assign(answer.location);
    else end(answer.refused ?? form.dataset.refused);
  });
  request.addEventListener("error", () => end(form.dataset.refused));
  bar.hidden = false;
  button.disabled = true;
  state.textContent = "";
  state.classList.remove("fault");
  request.send(file);

  function end(words) {
    bar.hidden = true;
    button.disabled = false;
    state.textContent = words;
    state.classList.add("fault");
  }
}

function readAnswer(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}
