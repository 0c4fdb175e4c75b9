export { extractSchema, type QemuSources } from '../extract/extract-schema.ts';
export { builtinSchemas } from './builtin-schema-index.ts';
export { type Capture, type CaptureOptions, captureProfile } from './capture-profile.ts';
export { openSide } from './compat-side.ts';
export { writeCore } from './core-file.ts';
export { nodeEnvironment } from './decompress.ts';
export { type ExtractedFile, type Extraction, extractStream } from './extract.ts';
export {
  type ExtractedBlock,
  type ExtractOptions,
  extractRam,
  type RamExtraction,
} from './extract-ram.ts';
export { type FileSource, openFile } from './file-source.ts';
export { nodeInflater } from './inflater.ts';
export { nodeMemory } from './node-memory.ts';
export { type DestinationFiles, type OpenedDestination, openDestination } from './open-destination.ts';
export { type Input, type InputOptions, openInput } from './open-input.ts';
export { type FileVm, type FileVmOptions, openVm, tablesOf } from './open-vm.ts';
export { OutputError } from './output.ts';
export { packagedSchemas } from './packaged-schemas.ts';
export { compressProfile, openProfile, writeProfileFile } from './profile-file.ts';
export { findQemuModules } from './qemu-modules.ts';
export { extractSchemaOfFile, openSchema, openSchemaOrDump, writeSchemaFile } from './schema-file.ts';
export { openPath, openStandardInput, spoolToFile } from './spool.ts';
export { QemuEnded, type StartOptions } from './start-qemu.ts';
export type { VmPlace } from './vm-input.ts';
