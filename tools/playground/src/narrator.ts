// Prints the steps of the demo and counts failed checks.
import { styleText } from "node:util";

export const makeNarrator = () => {
  const started = performance.now();
  const failures: Array<string> = [];
  let steps = 0;
  let checks = 0;
  return {
    step(title: string, ...explanation: ReadonlyArray<string>): void {
      steps++;
      console.log(`\n${styleText("bold", `${steps}. ${title}`)}`);
      for (const line of explanation) console.log(`   ${line}`);
    },
    expect(what: string, isTrue: boolean): void {
      checks++;
      if (!isTrue) failures.push(what);
      console.log(`   ${isTrue ? styleText("green", "✓") : styleText("red", "✗")} ${what}`);
    },
    finish(): void {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (failures.length === 0) {
        console.log(`\n${checks} checks in ${steps} steps passed in ${seconds} s.`);
        return;
      }
      console.error(`\n${failures.length} of ${checks} checks failed: ${failures.join("; ")}`);
      process.exitCode = 1;
    },
  };
};
