/**
 * Where an error was made, line by line, without what it says: V8 puts the message before the frames, and a message may
 * have lines that look like frames.
 */
export const framesOf = ({ message, stack = "" }: Error): readonly string[] => {
  const at = stack.indexOf(message);
  const behind = at < 0 ? "" : stack.slice(at + message.length);
  return behind.split("\n").filter((line) => /^ {4}at /u.test(line));
};
