const ipv4Loopback = /^127(?:\.\d{1,3}){3}$/;

/** Whether a host, as a parsed URL spells it, is this machine: `localhost`, 127.0.0.0/8 or `[::1]`. */
export const isLoopbackHost = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || ipv4Loopback.test(hostname);

/** Whether a URL is one of HTTP's, with or without TLS. */
export const isHttp = ({ protocol }: URL): boolean => protocol === "https:" || protocol === "http:";

/** Whether what is sent there, over http or https, can be read by nobody on the way. */
export const isPrivateOnTheWay = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || isLoopbackHost(hostname);

/** Where a request goes, fit for errors and logs: user info, query and fragment may hold secrets. */
export const redactUrl = (url: URL): string => url.origin + url.pathname;
