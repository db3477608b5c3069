export { describeStoreUrl, type StorePlace } from "./connection/target.ts";
export { generateStoreKey, type KeySource } from "./encryption/index.ts";
export { SqlStoreConfigInvalid, SqlStoreMigrationFailed } from "./errors/index.ts";
export {
  layer,
  layerMemory,
  makeSqlStore,
  migrateSqlStore,
  openSqlStorage,
  type SqlStore,
  type SqlStoreOptions,
} from "./store/index.ts";
