export default {
  // Native and optional packages are found by Node at run time.
  serverExternalPackages: ["koffi", "@napi-rs/keyring", "@grpc/grpc-js"],
};
