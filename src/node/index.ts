export { extractSchema, type QemuSources } from '../schema/extract-schema.ts';
export { builtinSchemas, useBuiltinTables } from './builtin-schemas.ts';
export { writeCore } from './core-file.ts';
export { type ExtractedFile, type Extraction, type ExtractOptions, extractStream } from './extract.ts';
export { type FileSource, openFile } from './file-source.ts';
export { findQemuModules } from './qemu-modules.ts';
export { extractSchemaOfFile, openSchema, writeSchemaFile } from './schema-file.ts';
export { openPath, openStandardInput, spoolToFile } from './spool.ts';
