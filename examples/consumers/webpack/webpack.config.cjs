"use strict";
const optional = ["koffi", "@napi-rs/keyring", "@grpc/grpc-js"];

module.exports = {
  mode: "production",
  target: "node22",
  entry: "../request.mjs",
  output: { path: `${__dirname}/out` },
  externals: Object.fromEntries(optional.map((name) => [name, `commonjs ${name}`])),
};
