/**
 * Breaks prose between words so that no line is longer than `columns`. A word that is longer stands on a line of its
 * own, whole: an address stays one that can be copied.
 */
export const wrapText = (text: string, columns: number): readonly string[] => {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= columns || line === "") {
      line = longer;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
};
