import { ByteWriter } from '../bytes/byte-writer.ts';
import { DecodeError, type Diagnostic, problemIn } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import { type Piece, pieceLength } from '../bytes/splice.ts';
import type { Window } from '../bytes/window.ts';
import {
  type CommandDetail,
  type CommandRecord,
  MIGRATION_COMMANDS,
  type MigrationCommand,
  QEMU_VM_COMMAND,
} from './records.ts';

/**
 * Reads the COMMAND record that begins at `start`; the window stands behind its type byte, and afterwards somewhere in it.
 * Wire form: u16 command, u16 length of the payload, both big endian (migration/savevm.c, qemu_savevm_command_send).
 * Of a known command the payload is decoded, but for PACKAGED, which is left to the caller: its package follows the
 * payload. Throws DecodeError `truncated`.
 */
export async function readCommand(
  window: Window,
  start: number,
  report: (diagnostic: Diagnostic) => void,
): Promise<CommandRecord> {
  const command = await window.readU16('a COMMAND record');
  const length = await window.readU16('a COMMAND record');
  const payload = { start: window.offset, end: window.offset + length };
  if (!(await window.reaches(payload.end)))
    throw window.error('truncated', 'the stream ends inside a command', window.end);
  const name = MIGRATION_COMMANDS[command];
  const range = { start, end: payload.end };
  let detail: CommandDetail | undefined;
  if (name === undefined) {
    const message = `MIG_CMD number ${command} is not known; its ${length} bytes were skipped`;
    report({ severity: 'warning', code: 'unknown-command', message, range });
  } else {
    try {
      detail = await readCommandDetail(window, name, payload);
    } catch (error) {
      report(problemIn(error).diagnostic);
    }
  }
  return { kind: 'command', range, command, name, payload, detail };
}

/** Payload lengths that are fixed: what loadvm_process_command insists on. */
const FIXED_LENGTH: Partial<Record<MigrationCommand, number>> = {
  OPEN_RETURN_PATH: 0,
  PING: 4,
  POSTCOPY_LISTEN: 0,
  POSTCOPY_RUN: 0,
  PACKAGED: 4,
  ENABLE_COLO: 0,
  POSTCOPY_RESUME: 0,
  SWITCHOVER_START: 0,
};

/** Decodes the payload of a known command. Throws DecodeError `bad-command` when it cannot be. */
async function readCommandDetail(
  window: Window,
  name: MigrationCommand,
  payload: Range,
): Promise<CommandDetail | undefined> {
  const length = payload.end - payload.start;
  const bad = (message: string) =>
    new DecodeError({
      severity: 'error',
      code: 'bad-command',
      message: `MIG_CMD_${name}: ${message}`,
      range: payload,
    });
  const fixed = FIXED_LENGTH[name];
  if (fixed !== undefined && fixed !== length) throw bad(`payload of ${length} bytes, expected ${fixed}`);
  switch (name) {
    case 'PING':
      return { command: 'PING', value: await window.readU32('MIG_CMD_PING') };
    case 'POSTCOPY_ADVISE': {
      // Without postcopy-ram (dirty-bitmaps alone) the payload is empty.
      if (length === 0) return undefined;
      if (length !== 16) throw bad(`payload of ${length} bytes, expected 0 or 16`);
      const pageSizeSummary = await window.readU64('MIG_CMD_POSTCOPY_ADVISE');
      return {
        command: name,
        pageSizeSummary,
        targetPageSize: await window.readU64('MIG_CMD_POSTCOPY_ADVISE'),
      };
    }
    case 'POSTCOPY_RAM_DISCARD': {
      // u8 version 0, len8 + name, a zero byte, then (u64 start, u64 length) until the payload ends.
      if (length < 3) throw bad(`payload of ${length} bytes is too short`);
      const version = await window.readU8('MIG_CMD_POSTCOPY_RAM_DISCARD');
      if (version !== 0) throw bad(`version ${version}, only 0 is known`);
      const block = await window.readText8('MIG_CMD_POSTCOPY_RAM_DISCARD');
      if (window.offset >= payload.end) throw bad('the block name is longer than the payload');
      await window.skip(1, 'MIG_CMD_POSTCOPY_RAM_DISCARD');
      if ((payload.end - window.offset) % 16 !== 0)
        throw bad('a range list that is not a multiple of 16 bytes');
      const ranges = [];
      while (window.offset < payload.end) {
        const start = await window.readU64('MIG_CMD_POSTCOPY_RAM_DISCARD');
        ranges.push({ start, length: await window.readU64('MIG_CMD_POSTCOPY_RAM_DISCARD') });
      }
      return { command: name, block, ranges };
    }
    case 'RECV_BITMAP': {
      const block = await window.readText8('MIG_CMD_RECV_BITMAP');
      if (window.offset !== payload.end) throw bad('the block name does not fill the payload');
      return { command: name, block };
    }
    default:
      return undefined;
  }
}

/** A COMMAND record by its number on the wire and its payload, of at most 65,535 bytes. */
export function writeCommand(command: number, payload: readonly Piece[]): Piece[] {
  const length = payload.reduce((sum, piece) => sum + pieceLength(piece), 0);
  return [new ByteWriter(5).u8(QEMU_VM_COMMAND).u16(command).u16(length).finish(), ...payload];
}

/** What a command carries, for who writes one; of a package its length in bytes, as it follows the record. */
type CommandPayload =
  | Exclude<CommandDetail, { readonly command: 'PACKAGED' }>
  | { readonly command: 'PACKAGED'; readonly length: number };

/** The payload that `readCommandDetail` reads. */
export function commandPayload(detail: CommandPayload): Uint8Array {
  const writer = new ByteWriter();
  switch (detail.command) {
    case 'PING':
      return writer.u32(detail.value).finish();
    case 'POSTCOPY_ADVISE':
      return writer.u64(detail.pageSizeSummary).u64(detail.targetPageSize).finish();
    case 'POSTCOPY_RAM_DISCARD': {
      writer.u8(0).text8(detail.block).u8(0);
      for (const { start, length } of detail.ranges) writer.u64(start).u64(length);
      return writer.finish();
    }
    case 'PACKAGED':
      return writer.u32(detail.length).finish();
    case 'RECV_BITMAP':
      return writer.text8(detail.block).finish();
  }
}
