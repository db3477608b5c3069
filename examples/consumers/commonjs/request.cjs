"use strict";
const { createModelProvider } = require("@agent-auth/model-provider/promises");

const main = async () => {
  const provider = await createModelProvider({ environmentCredentials: true });
  const response = await provider.fetch("/models");
  await response.text();
  await provider.close();
  console.log(response.status);
};

void main();
