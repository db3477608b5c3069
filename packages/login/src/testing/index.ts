export type { ContractCase, Open } from "./contract.ts";
export { lockContract, type LockContractOptions, type OpenedLocks } from "./lock-contract.ts";
export { storeContract, type OpenedStores, type StoreContractOptions } from "./store-contract.ts";
