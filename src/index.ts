export {
  DecodeError,
  type Diagnostic,
  type DiagnosticCode,
  formatDiagnostic,
  formatPath,
  type PathComponent,
  printable,
  type Severity,
} from './bytes/diagnostic.ts';
export { type FileOffsets, fileOffsets } from './bytes/file-offsets.ts';
export { GrowingSource } from './bytes/growing-source.ts';
export { hexOffset, type Range, rangeLength } from './bytes/range.ts';
export { sliceSource } from './bytes/slice.ts';
export {
  type BlobLike,
  type ByteSource,
  blobSource,
  changedError,
  type FinishedSource,
  finished,
  locate,
  memorySource,
  type Place,
} from './bytes/source.ts';

export { type AbortSignalLike, type Watch, watchedSource } from './bytes/watched-source.ts';
export { checkStream } from './check/check.ts';
export {
  Destination,
  type DestinationFacts,
  type DestinationKnowledge,
  type DestinationRamBlock,
  type VirtioOffer,
} from './check/destination.ts';
export { factsOfProfile } from './check/facts.ts';
export type { CheckReport, Finding, Verdict } from './check/finding.ts';
export * from './check/profile.ts';
export { type FindingSeverity, type RuleCode, rules } from './check/rules.ts';

export {
  type CompatDevice,
  type CompatFinding,
  type CompatOptions,
  type CompatReport,
  compareSides,
  type Direction,
} from './compat/compat.ts';
export { type CompatRank, type CompatRule, compatRanks, compatRules } from './compat/rules.ts';
export type { RootVmsd, Side, SideFacts } from './compat/side.ts';
export { sideOfDump } from './compat/side-of-dump.ts';
export { sideOfSchema } from './compat/side-of-schema.ts';

export type { CompressionFormat, ContainerEnvironment, OwnedSource } from './containers/container.ts';
export { type ContainerLayer, type UnwrapOptions, type Unwrapped, unwrap } from './containers/open.ts';
export { listSnapshots } from './containers/qcow2.ts';
export type { Qcow2Snapshot, Qcow2SnapshotTable } from './containers/qcow2-snapshots.ts';
export { parseLayoutOption } from './core/layout-option.ts';
export {
  type MappedPart,
  type PhysicalBytes,
  PhysicalMemory,
  type PhysicalRange,
} from './core/physical-memory.ts';
export { type CoreOptions, type CorePlan, type CoreSegment, planCore } from './core/plan.ts';
export { type BitField, choice, count, flag, flags } from './infos/bits.ts';
export { FieldReader, type Meaning } from './infos/field-reader.ts';
export type {
  Info,
  InfoContext,
  InfoLength,
  InfoMemory,
  Infos,
} from './infos/info.ts';
export { builtInInfos, withInfos } from './infos/infos.ts';
export {
  bytes,
  choose,
  type InfoReader,
  integer,
  type ObjectPlace,
  peek,
  type ReaderAnswer,
  type ReaderArguments,
  type ReaderRequest,
  type ReaderSteps,
  type Remaining,
  remaining,
  scalar,
  struct,
  type UnknownOption,
} from './infos/reader.ts';
export { childrenOf, elementAt, type WalkStep, walk } from './layout/children.ts';
export type {
  ArrayNode,
  GapNode,
  Layout,
  LayoutNode,
  LeafNode,
  LeafValue,
  NodePlace,
  Shape,
  ShapeMember,
  StructNode,
  UniformElements,
} from './layout/node.ts';
export type { OpenedStream, OpenOptions } from './layout/open.ts';
export type { SectionBytes } from './layout/section-bytes.ts';
export { SchemaTables } from './layout/tables.ts';
export {
  type BlockRange,
  GuestMemory,
  type GuestMemoryOptions,
  type MemoryBytes,
  type MemoryRange,
  type MemoryState,
} from './memory/guest-memory.ts';
export type { InflatedPayloads, Inflater, PayloadFormat } from './memory/inflater.ts';
export type { MemoryVisitor } from './memory/memory-visitor.ts';
export { hashPages, PageHashes } from './memory/page-hashes.ts';
export { type IndexedBlock, PageIndex } from './memory/page-index.ts';
export { type MemoryOptions, PageIndexBuilder } from './memory/page-index-builder.ts';
export { memorySpool, type OpenSpool, type Spool } from './memory/spool.ts';
export { type AlignedChild, alignChildren } from './ops/align.ts';
export { describe } from './ops/describe.ts';
export { type DiffOptions, diffStreams } from './ops/diff.ts';
export {
  type Change,
  type ChangeKind,
  diffLayouts,
  type LayoutDiff,
  type LayoutDiffOptions,
} from './ops/diff-layouts.ts';
export type { BlockPagesDiff, PageRange, RamBlockDiff, RamDiff } from './ops/diff-ram.ts';
export type {
  CommandChange,
  DiffedStream,
  SectionDiff,
  SectionName,
  SectionSide,
  StreamDiff,
} from './ops/diff-result.ts';
export { type FoundStream, findStreams } from './ops/find-streams.ts';
export { type InfoOptions, type StreamInfo, streamInfo } from './ops/info.ts';
export {
  type Elsewhere,
  type HotRange,
  type RamBlockReport,
  type RamReport,
  type RamReportOptions,
  type RoundReport,
  ramReport,
  type TimesReport,
} from './ops/ram-report.ts';
export type { ChangedRange } from './ops/range-list.ts';
export { compileSelectors, pruneLayout, type Selection, selectNodes } from './ops/select.ts';
export { type VolatileField, volatileFields, volatileTypes } from './ops/volatile-fields.ts';
export {
  type BytePlace,
  byteAt,
  type EnclosingVmsd,
  fieldsOf,
  PageFinder,
  type PlacedField,
  type PlacedPage,
} from './ops/where.ts';
export { withVmdesc } from './ops/with-vmdesc.ts';
export type { PageKind, PageSink, PageSource } from './ram/page-sink.ts';
export { PageUsage } from './ram/page-usage.ts';
export type { RamBlock } from './ram/ram-block.ts';
export { analyzeMigrationDesc, analyzeMigrationState } from './render/analyze-migration-text.ts';
export { diffJson } from './render/diff-json.ts';
export type { Drawing } from './render/drawing.ts';
export { ndjsonLine } from './render/ndjson.ts';
export { drawRamMap } from './render/ram-map.ts';
export { drawingSvg } from './render/svg.ts';
export {
  type DumpedDevice,
  type DumpedField,
  type DumpedVmsd,
  type DumpVmstate,
  isDumpVmstate,
  parseDumpVmstate,
} from './schema/dump-vmstate.ts';
export { parseSchema } from './schema/parse-schema.ts';
export * from './schema/qemu-schema.ts';
export type { DeviceSchema, FieldSchema, Schema, StructSchema } from './schema/schema.ts';
export { serializeSchema } from './schema/serialize-schema.ts';
export type * from './stream/records.ts';
export type { Section, Stream } from './stream/stream.ts';
export type { SchemaEntry, SchemaProvider } from './vm/schema-provider.ts';
export { openVm, type Vm, type VmOptions } from './vm/vm.ts';
