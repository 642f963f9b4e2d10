export { readStorageFile } from './configuration.ts';
export type { StorageConfiguration, Store } from './configuration.ts';
export { StorageUnavailable } from './content.ts';
export { ObjectStorage } from './object-storage.ts';
export type { ListedObject, ObjectStorageOptions, StoredObject } from './object-storage.ts';
export {
  hidesReference,
  isStorageReference,
  objectUri,
  parseStorageReference,
  storageTypes,
} from './reference.ts';
export type { StorageReference, StorageType } from './reference.ts';
