import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate for 127.0.0.1 that nobody knows, made by openssl for this test. Dispose of it to remove its folder. */
export const makeSelfSigned = () => {
  const folder = mkdtempSync(join(tmpdir(), "self-signed-"));
  const certFile = join(folder, "cert.pem");
  const keyFile = join(folder, "key.pem");
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const name = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...name, "-keyout", keyFile, "-out", certFile], {
    stdio: "ignore",
  });
  return {
    certFile,
    cert: readFileSync(certFile, "utf8"),
    key: readFileSync(keyFile, "utf8"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
};
