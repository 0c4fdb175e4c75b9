export type { DebugEnvironment, WantedDebugFile } from '../extract/debug-files.ts';
export type { DecompressSection } from '../extract/elf/sections.ts';
export { extractSchema, type QemuSources } from '../extract/extract-schema.ts';
export { readBaseline, readKnownBlockers } from './baseline-file.ts';
export { type BuiltinSchema, builtinSchemas } from './builtin-schema-index.ts';
export { type Capture, type CaptureOptions, captureProfile } from './capture-profile.ts';
export {
  CaptureRefused,
  captureRunning,
  type PreparedCapture,
  prepareCapture,
  type RunningCapture,
  type RunningCaptureOptions,
} from './capture-running.ts';
export { openSide, type SideOptions } from './compat-side.ts';
export {
  type ConversionFormat,
  type ConvertFileOptions,
  conversionFormats,
  convertFile,
} from './convert-file.ts';
export type { WrittenCore } from './core-file.ts';
export { writeCore } from './core-file.ts';
export type { DebugFileOptions } from './debug-environment.ts';
export { checkBase, type Decoded, type DecodedFolder, decodeStream, openDecoded } from './decode.ts';
export type { DecompressionProgress } from './decompress.ts';
export { nodeEnvironment } from './decompress.ts';
export { patchInPlace, revertInPlace } from './edit-in-place.ts';
export { readExplanations } from './explanations.ts';
export { type ExtractedFile, type Extraction, extractStream } from './extract.ts';
export {
  type ExtractedBlock,
  type ExtractOptions,
  extractRam,
  type RamExtraction,
} from './extract-ram.ts';
export { type FileSource, openFile } from './file-source.ts';
export { nodeInflater } from './inflater.ts';
export { learnSchemaOfFiles } from './learn-schema.ts';
export { activeDomains } from './libvirt-domains.ts';
export { LibvirtVm, type LibvirtVmOptions } from './libvirt-vm.ts';
export type { Monitor, ReadAnswer } from './monitor.ts';
export { nodeMemory } from './node-memory.ts';
export { openCapture } from './open-capture.ts';
export { type DestinationFiles, type OpenedDestination, openDestination } from './open-destination.ts';
export { type Input, type InputOptions, openInput } from './open-input.ts';
export { openRunning, type RunningVmAddress } from './open-running.ts';
export { type FileVm, type FileVmOptions, openVm, tablesOf } from './open-vm.ts';
export type { Existing, Pieces } from './output.ts';
export { OutputError, writeOutput } from './output.ts';
export { packageVersion } from './package-version.ts';
export { packagedSchemas } from './packaged-schemas.ts';
export { drawingPng } from './png.ts';
export { compressProfile, openProfile, writeProfileFile } from './profile-file.ts';
export { findQemuModules } from './qemu-modules.ts';
export { writeRamMap } from './ram-map-file.ts';
export { redactProfile } from './redact-profile.ts';
export { type RoundtripOptions, roundtrip } from './roundtrip.ts';
export type { RunningProcess, RunningVm, SavedDevices, SaveOptions } from './running-vm.ts';
export type { MigrationProgress } from './save-state.ts';
export {
  extractSchemaOfFile,
  openSchema,
  openSchemaOrDump,
  readQueryMachinesFile,
  writeSchemaFile,
} from './schema-file.ts';
export type { SpoolLimit, SpoolOptions } from './spool.ts';
export { openPath, openStandardInput, spoolToFile } from './spool.ts';
export { QemuEnded, type StartOptions } from './start-qemu.ts';
export { type TakeCaptureOptions, takeCapture } from './take-capture.ts';
export type { VmPlace } from './vm-input.ts';
export { type Sample, type WatchOptions, watchRunning } from './watch-running.ts';
export { openEdited, writeEdited } from './write-edited.ts';
export { writeSource } from './write-source.ts';
