import { Command } from '@commander-js/extra-typings';
import { printable } from '../bytes/printable.ts';
import { type Sample, watchRunning } from '../node/watch-running.ts';
import { sampleFields } from '../ops/sample-fields.ts';
import { compileSelectors } from '../ops/select.ts';
import { valueText } from '../render/dump-text.ts';
import { textJson, valueJson } from '../render/ndjson.ts';
import { jsonOption, parseCount, parsePid, parseSeconds } from './options.ts';
import { Output, say } from './output.ts';
import {
  adviseForce,
  auditOption,
  connectOption,
  forceOption,
  stepLimitOption,
  viaOption,
} from './running-options.ts';
import { reportUnmatched } from './unmatched.ts';

export const watchCommand = new Command('watch')
  .description('fields of a VM that runs, over time: it stands still for some milliseconds for each sample')
  .argument('<selector...>', 'fields, as vmwalk dump selects them')
  .option('--qmp <socket>', 'its monitor, as of vmwalk capture')
  .option('--libvirt <domain>', 'a domain of libvirt, by its name, UUID or id')
  .addOption(connectOption())
  .addOption(viaOption())
  .option('--pid <number>', 'process of its QEMU, where it is not found by its socket', parsePid)
  .option('--interval <seconds>', 'between two samples', parseSeconds, 1)
  .option('--count <number>', 'samples; without it, until Ctrl-C', parseCount)
  .addOption(forceOption())
  .addOption(auditOption())
  .addOption(stepLimitOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
Each sample stops the VM as vmwalk capture does, and is refused when that is. First all fields are printed, then those that
have changed; with --json each sample, a line each.

Examples:
  vmwalk watch --qmp /run/vm.qmp 'virtio-net/**/last_avail_idx' --interval 2
  vmwalk watch --libvirt vm cpu/env.eip --count 10 --json`,
  )
  .action(async (selectors, { json = false, count, force, audit, ...options }) => {
    const selection = compileSelectors(selectors);
    if (!selection) return;
    const output = new Output();
    let before: ReadonlyMap<string, string> | undefined;
    const onSample = async ({ time, pause, vm }: Sample) => {
      const fields = await sampleFields(vm, selection);
      const texts = new Map(fields.map(({ name, leaf }) => [name, valueText(leaf, false)]));
      if (!before) await reportUnmatched([vm], selection.unmatched());
      // It is not to be stopped again for nothing.
      if (!before && fields.length === 0) throw new Error(`${vm.source.name}: it has none of these fields`);
      const stamp = time.toISOString();
      if (json) {
        const values = fields.map(({ name, leaf }) => `${textJson(name)}:${valueJson(leaf.value)}`);
        await output.line(`{"time":"${stamp}","pause":${pause.toFixed(1)},"fields":{${values.join(',')}}}`);
      } else {
        await output.row(`${stamp}  stood still for ${pause.toFixed(1)} ms`);
        for (const [name, text] of texts) {
          const old = before?.get(name);
          if (old === text) continue;
          await output.row(`  ${printable(name)}  ${old === undefined ? '' : `${old} -> `}${text}`);
        }
        for (const name of before?.keys() ?? [])
          if (!texts.has(name)) await output.row(`  ${printable(name)}  is not sent any more`);
      }
      await output.flush();
      before = texts;
    };
    const address = { ...options, timeout: options.timeout * 1000 };
    const how = { interval: options.interval * 1000, count, force, audit };
    await watchRunning(address, { ...how, onWarning: (message) => say(message, 'warning') }, onSample).catch(
      adviseForce,
    );
  });
