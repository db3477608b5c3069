// The main process of a desktop app. It needs no window for a request.
"use strict";
const { app } = require("electron");

const main = async () => {
  const { createModelProvider } = await import("@agent-auth/model-provider/promises");
  const provider = await createModelProvider({ environmentCredentials: true });
  const response = await provider.fetch("/models");
  await response.text();
  await provider.close();
  console.log(response.status);
  app.quit();
};

void app.whenReady().then(main);
