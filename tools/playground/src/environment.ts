/** This process's environment without what would sign in, or send elsewhere, whoever runs the playground. */
export const environmentWithoutCredentials = (): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(CODEX_|OPENAI_)|_proxy$/iu.test(name)),
  );
