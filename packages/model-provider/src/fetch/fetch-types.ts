/** The global types of fetch, by names of our own: TypeScript's Node types do not name all of them. */
export type FetchHeaders = NonNullable<RequestInit["headers"]>;
export type FetchBody = NonNullable<RequestInit["body"]>;
