import { BlockList, isIP } from "node:net";

/**
 * Returns a function that decides whether `NO_PROXY` exempts a URL from the proxies.
 *
 * Entries are separated by commas or white space. Each is `*` (every host), a domain (`example.com` and `.example.com`
 * match it and its subdomains, `*.example.com` only subdomains), an IP address, or a CIDR block (`10.0.0.0/8`). A domain
 * or an address may end in `:port` (`[::1]:443` for IPv6). Case and a trailing dot do not matter. Entries that cannot be
 * read match nothing.
 */
export const parseNoProxy = (noProxy: string): ((url: URL) => boolean) => {
  const rules = noProxy.split(/[,\s]+/).flatMap((entry) => parseEntry(entry) ?? []);
  return (url) => {
    const host = withoutBrackets(url.hostname).toLowerCase().replace(/\.$/, "");
    const port = url.port === "" ? defaultPorts[url.protocol] : Number(url.port);
    return rules.some((rule) => (rule.port ?? port) === port && rule.matches(host));
  };
};

interface Rule {
  readonly port?: number;
  /** `host` is in lower case, without brackets and trailing dot. */
  readonly matches: (host: string) => boolean;
}

const defaultPorts: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

const parseEntry = (entry: string): Rule | undefined => {
  if (entry === "") return undefined;
  const block = /^(.+)\/(\d{1,3})$/.exec(entry);
  if (block !== null) return cidrRule(withoutBrackets(block[1] ?? ""), Number(block[2]));
  // A bare IPv6 address contains colons itself; with a port, it is in brackets.
  const withPort = isIP(entry) === 6 ? null : /^(.+):(\d{1,5})$/.exec(entry);
  const name = withoutBrackets(withPort?.[1] ?? entry)
    .toLowerCase()
    .replace(/\.$/, "");
  return { ...(withPort && { port: Number(withPort[2]) }), matches: matcher(name) };
};

const matcher = (name: string): Rule["matches"] => {
  if (name === "*") return () => true;
  if (isIP(name) !== 0) return inBlocks((list) => list.addAddress(name, family(name)));
  const domain = name.replace(/^\*?\./, "");
  const includesDomain = !name.startsWith("*");
  return (host) => host.endsWith(`.${domain}`) || (includesDomain && host === domain);
};

const cidrRule = (address: string, prefix: number): Rule | undefined =>
  isIP(address) === 0 || prefix > (isIP(address) === 4 ? 32 : 128)
    ? undefined
    : { matches: inBlocks((list) => list.addSubnet(address, prefix, family(address))) };

const inBlocks = (add: (list: BlockList) => void): Rule["matches"] => {
  const list = new BlockList();
  add(list);
  return (host) => isIP(host) !== 0 && list.check(host, family(host));
};

const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");

const withoutBrackets = (host: string): string => host.replace(/^\[(.+)\]$/, "$1");
