// Runs before each test file (setupFiles in vitest.config.ts): files share modules, so a support module that registered
// hooks when it is imported would do so for the first file only.
import { afterEach } from "vitest";
import { removeTemporaryFolders } from "./home.ts";
import { killPrograms } from "./start-program.ts";

afterEach(() => {
  killPrograms();
  removeTemporaryFolders();
});
