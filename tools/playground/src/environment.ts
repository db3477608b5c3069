/** This process's environment without the user's credentials, Codex settings and proxies. */
export const environmentWithoutCredentials = (): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(CODEX_|OPENAI_)|_proxy$/iu.test(name)),
  );
