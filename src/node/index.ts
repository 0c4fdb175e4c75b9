export { extractSchema, type QemuSources } from '../schema/extract-schema.ts';
export { builtinSchemas, useBuiltinTables } from './builtin-schemas.ts';
export { writeCore } from './core-file.ts';
export { nodeEnvironment } from './decompress.ts';
export { type ExtractedFile, type Extraction, type ExtractOptions, extractStream } from './extract.ts';
export {
  type ExtractedBlock,
  type ExtractRamOptions,
  extractRam,
  type RamExtraction,
} from './extract-ram.ts';
export { type FileSource, openFile } from './file-source.ts';
export { type HashedStream, openWithPageHashes } from './hash-ram.ts';
export { nodeInflater } from './inflater.ts';
export { type Input, type InputOptions, openInput } from './open-input.ts';
export { findQemuModules } from './qemu-modules.ts';
export { extractSchemaOfFile, openSchema, writeSchemaFile } from './schema-file.ts';
export { openPath, openStandardInput, spoolToFile } from './spool.ts';
