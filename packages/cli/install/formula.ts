// node packages/cli/install/formula.ts <URL of a release's folder>: prints a Homebrew formula for the executables that
// dist/SHA256SUMS lists.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const platforms = [
  ["macos", "arm", "agent-auth-darwin-arm64"],
  ["macos", "intel", "agent-auth-darwin-x64"],
  ["linux", "arm", "agent-auth-linux-arm64"],
  ["linux", "intel", "agent-auth-linux-x64"],
] as const;

/** Returns a Homebrew formula. Throws if a platform's executable is not in the checksums. */
export const formula = (url: string, version: string, sums: string): string => {
  const blocks = platforms.map(([system, processor, file]) => {
    const sum = new RegExp(`^([0-9a-f]{64})  ${file}$`, "mu").exec(sums)?.[1];
    if (sum === undefined) throw new Error(`SHA256SUMS does not list ${file}`);
    return `  on_${system} do
    on_${processor} do
      url "${url}/${file}"
      sha256 "${sum}"
    end
  end
`;
  });
  return `class AgentAuth < Formula
  desc "Sign in to Codex and send authenticated model requests"
  homepage "${url}"
  version "${version}"
  license "Apache-2.0"

${blocks.join("\n")}
  def install
    bin.install Dir["agent-auth-*"].first => "agent-auth"
    generate_completions_from_executable(bin/"agent-auth", "completion")
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/agent-auth --version").strip
  end
end
`;
};

if (import.meta.main) {
  const [url] = process.argv.slice(2);
  const packages = join(import.meta.dirname, "..");
  const { version }: { readonly version: string } = JSON.parse(
    readFileSync(join(packages, "package.json"), "utf8"),
  );
  try {
    if (url === undefined) throw new Error("the URL of the release's folder is missing");
    const sums = readFileSync(join(packages, "../../dist/SHA256SUMS"), "utf8");
    process.stdout.write(formula(url, version, sums));
  } catch (error) {
    console.error(
      `there is no formula: ${error instanceof Error ? error.message : "unknown error"}`,
    );
    process.exitCode = 1;
  }
}
