import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { callableFunctions } from "../build/callable-functions.ts";
import { keyOf, parenthesized } from "../build/eager-functions.ts";

const code = `const arrow=a=>b=>a+b,named=function(){return arrow(1)(2)},later=async()=>0;
class Box{constructor(){this.made=true}method(){return 3}field=()=>4}
const object={method(){return 5},get got(){return 6},plain:()=>7};
function declared(){return 8}
[named(),new Box().method(),new Box().field(),object.method(),object.got,object.plain(),declared(),arrow.name,named.name]`;

const ranges = callableFunctions(code);

describe("parentheses round functions", () => {
  it("find function expressions and arrows, nested ones too, and no method, accessor or declaration", () => {
    expect(ranges.map(([start, end]) => code.slice(start, end)).toSorted()).toEqual([
      "()=>4",
      "()=>7",
      "a=>b=>a+b",
      "async()=>0",
      "b=>a+b",
      "function(){return arrow(1)(2)}",
    ]);
  });

  it("leave the program as it is, names of functions included", () => {
    const changed = parenthesized(code, new Set(ranges.map(keyOf)));
    expect(changed).toContain("arrow=(a=>(b=>a+b)),named=(function(){return arrow(1)(2)})");
    expect(runInNewContext(changed)).toEqual(runInNewContext(code));
  });

  it("are added only to functions that were called", () => {
    expect(parenthesized(code, new Set())).toBe(code);
  });
});
