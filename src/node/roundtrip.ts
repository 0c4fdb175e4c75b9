import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { badArgument } from '../bytes/diagnostic.ts';
import { checkStream } from '../check/check.ts';
import type { CheckReport } from '../check/finding.ts';
import type {
  LoadRefusal,
  Roundtrip,
  RoundtripState,
  RoundtripStateName,
} from '../check/roundtrip-result.ts';
import type { OpenedStream } from '../layout/open.ts';
import { hashPages } from '../memory/page-hashes.ts';
import { explain } from '../ops/explain.ts';
import { diffRoundtrip, type SavedState } from '../ops/roundtrip.ts';
import { openVm, type Vm } from '../vm/vm.ts';
import { askMachineType, askMigration, readVersion } from './ask-destination.ts';
import { captureProfile } from './capture-profile.ts';
import { readExplanations } from './explanations.ts';
import type { FileSource } from './file-source.ts';
import { loadState } from './load-state.ts';
import { nodeMemory } from './node-memory.ts';
import { destinationOfProfile } from './open-destination.ts';
import { makeFolder } from './output.ts';
import { packagedSchemas } from './packaged-schemas.ts';
import { withOtherQemu } from './qemu-command-line.ts';
import { MigrationFailed, type MigrationProgress, saveState } from './save-state.ts';
import { PausedQemu, QemuEnded, QemuTooSlow, type StartOptions } from './start-qemu.ts';
import { MAX_SECONDS } from './step-limit.ts';
import { writeSource } from './write-source.ts';

/** Signals by which a program ends that is wrong itself. */
const CRASHES: ReadonlySet<string> = new Set(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL']);

export interface RoundtripOptions extends Omit<StartOptions, 'incoming'> {
  /** Another QEMU that loads what the first one saved, and saves it for that again; with what starts it in front. */
  readonly through?: readonly string[] | undefined;
  /** Seconds, 24 days at most, that the machine runs before its first state is saved; it does not run without this. */
  readonly run?: number | undefined;
  /** Compare RAM, too, page by page. */
  readonly ram?: boolean | undefined;
  /** A folder that the states are written into as they come: `first.qevm`, `second.qevm`, `third.qevm`. */
  readonly keep?: string | undefined;
  readonly onProgress?: MigrationProgress | undefined;
}

/** A state, and what holds it. */
interface OpenState extends SavedState {
  readonly state: RoundtripState;
  readonly vm: Vm;
  readonly source: FileSource;
}

/**
 * Starts a command line of QEMU, stopped or to run for some seconds, saves its state, loads that into the same QEMU or
 * another one, saves again, loads into the first and saves for the third time; then compares. Each QEMU is ended before
 * the next is started. States are in temporary files without a name. Throws QemuEnded where a QEMU does not start, or
 * takes too long, and what saving throws.
 */
export async function roundtrip(
  command: readonly string[],
  options: RoundtripOptions = {},
): Promise<Roundtrip> {
  const { through, run } = options;
  if (run !== undefined && !(run > 0 && run <= MAX_SECONDS)) throw badArgument(`no time to run: ${run}`);
  const other = through ? withOtherQemu(command, through) : command;
  const trip = new Trip(options);
  try {
    const first = await trip.save('first', command);
    const second = await trip.load('second', other, first);
    if ('message' in second) return trip.result({ refusal: second });
    const third = await trip.load('third', command, second);
    if ('message' in third) return trip.result({ refusal: third });
    const diff = await diffRoundtrip([first, second, third], { through: through !== undefined });
    return trip.result({ diff });
  } finally {
    await trip.close();
  }
}

class Trip {
  readonly #options: RoundtripOptions;
  readonly #open: OpenState[] = [];
  readonly #removed = new Set<string>();
  readonly #warnings = new Set<string>();

  constructor(options: RoundtripOptions) {
    this.#options = options;
  }

  result(rest: Pick<Roundtrip, 'diff' | 'refusal'>): Roundtrip {
    return {
      verdict: rest.diff?.verdict ?? 'refused',
      states: this.#open.map(({ state }) => state),
      ...rest,
      removed: [...this.#removed],
      warnings: [...this.#warnings],
    };
  }

  async close(): Promise<void> {
    for (const { vm, source } of this.#open) {
      await vm.memory?.close();
      await source.close();
    }
  }

  save(name: RoundtripStateName, command: readonly string[]): Promise<OpenState> {
    return PausedQemu.use(command, this.#options, async (qemu) => {
      const { run, signal } = this.#options;
      if (run !== undefined) {
        await qemu.qmp.execute('cont');
        await sleep(run * 1000, undefined, signal ? { signal } : {});
        await qemu.qmp.execute('stop');
      }
      return this.#save(name, qemu);
    });
  }

  /** Loads a state, and saves that again. */
  async load(
    name: RoundtripStateName,
    command: readonly string[],
    { vm, source, state }: OpenState,
  ): Promise<OpenState | LoadRefusal> {
    let isLoading = false;
    let lines: readonly string[] = [];
    try {
      return await PausedQemu.use(command, { ...this.#options, incoming: true }, async (qemu) => {
        const migration = await askMigration(qemu.qmp);
        isLoading = true;
        try {
          await loadState(qemu, migration, source);
        } finally {
          lines = qemu.messages;
        }
        return this.#save(name, qemu);
      });
    } catch (error) {
      if (!isLoading || !isRefusal(error)) throw error;
      const said = error instanceof QemuEnded ? error.lines : lines;
      const { pages, by } = explain(await readExplanations(), said.join('\n'));
      const check = await this.#check(vm, command);
      return {
        state: state.name,
        message: error.message,
        lines: said,
        explained: by === 'message' ? pages.map(({ code }) => code) : [],
        ...(check ? { check } : {}),
      };
    }
  }

  async #save(name: RoundtripStateName, qemu: PausedQemu): Promise<OpenState> {
    const { onProgress, keep, ram } = this.#options;
    for (const option of qemu.removed) this.#removed.add(option);
    for (const warning of qemu.warnings) this.#warnings.add(warning);
    const version = await qemu.qmp.execute('query-version', {}, readVersion);
    const { machineType } = await askMachineType(qemu.qmp);
    const source = await saveState(qemu, await askMigration(qemu.qmp), `the ${name} state`, onProgress);
    try {
      if (keep !== undefined) {
        makeFolder(keep);
        await writeSource(join(keep, `${name}.qevm`), source);
      }
      const vm = await openVm(source, {
        schemas: packagedSchemas,
        ...(ram ? { memory: nodeMemory() } : { skipRamOver: 0 }),
      });
      const state = {
        name,
        qemu: version,
        machineType,
        sections: vm.sections.length,
        size: source.size,
      };
      const pages = vm.memory && (await hashPages(vm.memory)).pages;
      const open = { state, vm, source, pages };
      this.#open.push(open);
      return open;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Which device and field it was. The command line has started already, and been refused a state only. */
  async #check(vm: OpenedStream, command: readonly string[]): Promise<CheckReport | undefined> {
    const { timeout, signal } = this.#options;
    try {
      const { profile } = await captureProfile(command, { timeout, signal });
      return await checkStream(vm, await destinationOfProfile(profile, 'the QEMU that refuses'));
    } catch (error) {
      signal?.throwIfAborted();
      const { message } = error as Error;
      this.#warnings.add(`which field it is cannot be told: ${message}`);
      return undefined;
    }
  }
}

/** Of what a load throws: does it lie with the state? */
function isRefusal(error: unknown): error is Error {
  if (error instanceof MigrationFailed) return true;
  if (!(error instanceof QemuEnded) || error instanceof QemuTooSlow) return false;
  return error.signal === undefined || CRASHES.has(error.signal);
}
