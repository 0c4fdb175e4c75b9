#!/usr/bin/env node
/**
 * Lists what QEMU or libvirt print when a save, a load or a migration fails or is refused, from an unpacked source
 * tree. test/fixtures/messages.tsv has those that `vmwalk explain` has pages for, with their pages.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `Usage: node scripts/messages/extract.mjs TREE|BINARY...

  TREE     an unpacked source tree of QEMU (qemu-10.0.0) or of libvirt (libvirt-11.3.0)
  BINARY   a program of QEMU, where there are no sources: its texts that are about saving and loading, of any function

Prints a message a line, with tabs between: the tree's name, file, line, function, kind of call, message. In a message
… stands for what varies. What a new version has that no page has yet:

  node scripts/messages/extract.mjs TREE|BINARY | cut -f6 | sort -u | grep -vxFf <(cut -f2 test/fixtures/messages.tsv)
`;

const { values: options, positionals: trees } = parseArgs({
  options: { help: { type: 'boolean' } },
  allowPositionals: true,
});
if (options.help || trees.length === 0) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

/** Functions that print or make an error of a text: all arguments are searched for the first text. */
const REPORTS = new RegExp(
  `\\b(${[
    'error_(?:v?report(?:_once)?|report_once_cond|setg(?:_errno|_file_open)?|v?prepend|append_hint|set)',
    'warn_report(?:_once|_err|_once_cond)?|warn_reportf_err|error_reportf_err',
    'migrate_set_error|rdma_error_report|ERROR|tpm_\\w*error\\w*|DPRINTF|fprintf|monitor_printf|qerror_report',
    'qemu_loadvm_error|vreport|virReport\\w*Error|VIR_(?:WARN|ERROR)|qemuMigration\\w*Error',
  ].join('|')})\\s*\\(`,
  'g',
);

/** Files of QEMU that are about nothing else than saving and loading. */
const QEMU_WHOLE = [
  /^migration\//,
  /^(?:block\/snapshot|block\/qcow2-snapshot|savevm|block\/dirty-bitmap|block\/monitor\/bitmap-qmp-cmds)\.c$/,
  /^hw\/vfio\/(?:migration|migration-multifd|vfio-migration)[^/]*\.c$/,
  /^hw\/core\/vmstate-if\.c$|^backends\/dbus-vmstate\.c$/,
  /^qapi\/migration|^qmp-cmds-migration/,
  /^hw\/(?:ppc\/spapr_caps|s390x\/s390-(?:skeys|stattrib)(?:-kvm)?|core\/machine-qmp-cmds)\.c$/,
];
/** Files of QEMU that have nothing to do with machines, or only test them. */
const QEMU_NEVER =
  /^(?:tests|scripts|subprojects|roms|contrib|tools|linux-user|bsd-user|docs|plugins|qga|fsdev|storage-daemon|capstone|slirp|meson|ui\/(?!vdagent|spice|dbus)|disas|libdecnumber|pc-bios)\//;
/** Functions that save, load, or decide on it. */
const QEMU_FUNCTIONS =
  /(?:post|pre)_?(?:load|save)|_(?:load|save|put|get|restore)(?:_|$)|(?:^|_)(?:load|save)_|migrat|migrate|vmstate|vmsave|snapshot|blocker|savevm|loadvm|inactivate|_activate|incoming|cpreg|(?:put|get)_(?:registers|msrs|xcrs|sregs|fpu|xsave|vcpu_events|apic|mp_state|debugregs|nested_state|tsc)|put_state|get_state|log_(?:start|stop|sync|global)|dirty|tx_?state|stateblob|state_blob|device_state|vmstate_change|cpu_filter_features|set_features|setup_(?:blk|fd)|filter_features|check_features|vmdesc|replay_|bitmap/;
/** Texts that are about it wherever they stand. */
const ABOUT =
  /migrat|snapshot|savevm|loadvm|vmstate|save\/restore|live-?migr|doesn't match requested feature|extra features/i;

const LIBVIRT_WHOLE = [
  /^src\/qemu\/qemu_(?:migration|migration_params|migration_cookie|saveimage|snapshot)\.c$/,
];
const LIBVIRT_SOME = [
  /^src\/qemu\/qemu_(?:monitor|monitor_json|process|driver|domain|domainjob|block|checkpoint|backup|hotplug|tpm|extdevice|virtiofs|dbus|slirp|vhost_user|command|capabilities|validate|hostdev|nbdkit)\.c$/,
  /^src\/(?:libvirt-domain|libvirt-domain-snapshot|libvirt|conf\/(?:domain_conf|snapshot_conf|domain_capabilities|moment_conf|virdomainmomentobjlist|virdomainsnapshotobjlist|cpu_conf)|cpu\/[^/]+|util\/vir(?:file|socket|netdevopenvswitch)|libxl\/libxl_migration|hypervisor\/domain_driver|locking\/[^/]+)\.c?$/,
  /^src\/(?:cpu\/cpu(?:_x86|_arm|_ppc64|_s390)?|conf\/domain_conf|conf\/snapshot_conf|conf\/cpu_conf|libvirt-domain|libvirt-domain-snapshot|hypervisor\/domain_driver)\.c$/,
  /^src\/(?:rpc\/virnetclient|util\/vircommand|util\/virprocess)\.c$/,
];
const LIBVIRT_FUNCTIONS =
  /migrat|Migrat|Snapshot|Save|Restore|Revert|Incoming|ABIStability|ABIUpdate|CheckABI|Tunnel|Postcopy|PostCopy|Dump(?!XML)|ManagedSave|CPUUpdate|CPUCompare|cpuCompare|UpdateLive|Moment|StartCPUs|StopCPUs/;

/** Texts of a binary that are about it: those of its tracing and its help are not. */
const ABOUT_IN_BINARY =
  /migrat|snapshot|vmstate|savevm|loadvm|incoming|postcopy|multifd|ram ?block|ramblock|blocker|dirty|vfio|cpreg|post.load|stateblob|subsection|reservation key/i;
const NOT_PRINTED = /^[a-z0-9]+(?:_[a-z0-9]+)+ |^<|^[ \t]/;

for (const tree of trees) {
  if (statSync(tree).isFile()) {
    for (const text of new Set(textsOfBinary(readFileSync(tree))))
      if (ABOUT_IN_BINARY.test(text) && !NOT_PRINTED.test(text))
        process.stdout.write(
          `${[tree.split('/').pop(), '', '', '', '', messageOfFormat(text)].join('\t')}\n`,
        );
    continue;
  }
  const isLibvirt = /libvirt/.test(tree);
  const name = tree.replace(/\/+$/, '').split('/').pop();
  for (const path of sources(tree)) {
    const file = relative(tree, path);
    const scope = isLibvirt ? libvirtScope(file) : qemuScope(file);
    if (scope === undefined) continue;
    for (const { line, inside, call, text } of messages(readFileSync(path, 'utf8'), scope))
      process.stdout.write(`${[name, file, line, inside, call, text].join('\t')}\n`);
  }
}

/** @param {string} file @returns {((inside: string, text: string, call: string) => boolean) | undefined} */
function qemuScope(file) {
  if (QEMU_NEVER.test(file)) return undefined;
  if (QEMU_WHOLE.some((whole) => whole.test(file))) return () => true;
  return (inside, text, call) =>
    ABOUT.test(text) ||
    /blocker/.test(call) ||
    inside.includes('\0') ||
    (QEMU_FUNCTIONS.test(inside) && !/realize|class_init|_init$|get_(?:fdt|dt)|property|_prop$/.test(inside));
}

/** @param {string} file */
function libvirtScope(file) {
  if (LIBVIRT_WHOLE.some((whole) => whole.test(file))) return () => true;
  if (LIBVIRT_SOME.some((some) => some.test(file)))
    return (/** @type {string} */ inside, /** @type {string} */ text) =>
      ABOUT.test(text) || LIBVIRT_FUNCTIONS.test(inside);
  return undefined;
}

/** @param {string} folder @returns {Generator<string>} */
function* sources(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.isFile() && /\.(?:c|h|inc)$/.test(entry.name)) yield path;
  }
}

/**
 * @param {string} source
 * @param {(inside: string, text: string, call: string) => boolean} isWanted
 */
function* messages(source, isWanted) {
  const text = withoutComments(source);
  const starts = functionStarts(text);
  const hooks = new Set(
    [
      ...text.matchAll(
        /\.(?:pre_load|post_load|pre_save|post_save|load_state|save_state|save_setup|load_setup|get|put|needed|pre_load_errp|post_load_errp|pre_save_errp)\s*=\s*(\w+)/g,
      ),
    ].map(([, hook]) => hook),
  );
  for (const match of text.matchAll(REPORTS)) {
    const [whole, call = ''] = match;
    const argumentsStart = match.index + whole.length;
    const given = argumentsOf(text, argumentsStart);
    if (/^fprintf$/.test(call) && !/^\s*(?:stderr|f)\s*,/.test(given)) continue;
    if (call === 'ERROR' && !/^\s*(?:NULL|errp|&)/.test(given)) continue;
    if (call === 'DPRINTF') continue;
    const message = messageOf(given);
    if (message === undefined || !/\p{L}{3}/u.test(message)) continue;
    const inside = starts.findLast(({ index }) => index < match.index)?.name ?? '';
    const isHook = hooks.has(inside) ? `${inside}\0` : inside;
    const target = /blocker|&s->\w*block|reason/.test(given.split('"')[0] ?? '') ? `${call}:blocker` : call;
    if (!isWanted(isHook, message, target)) continue;
    yield { line: text.slice(0, match.index).split('\n').length, inside, call: target, text: message };
  }
  for (const match of text.matchAll(/\.?unmigratable\s*=\s*(?:1|true)/g))
    yield {
      line: text.slice(0, match.index).split('\n').length,
      inside: starts.findLast(({ index }) => index < match.index)?.name ?? '',
      call: 'unmigratable',
      text: 'State blocked by non-migratable device …',
    };
}

/** @param {string} text */
function functionStarts(text) {
  return [
    ...text.matchAll(/^(?:[A-Za-z_][\w \t*]*[ \t*\n])?\**(\w+)\s*\((?:[^;{}()]|\([^()]*\))*\)\s*\n?\{/gm),
  ]
    .map((match) => ({ index: match.index, name: match[1] ?? '' }))
    .filter(({ name }) => !/^(?:if|for|while|switch|else|return)$/.test(name));
}

/** @param {string} text @param {number} start */
function argumentsOf(text, start) {
  let depth = 1;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
    } else if (char === "'" && (text[i + 2] === "'" || text[i + 1] === '\\'))
      i += text[i + 1] === '\\' ? 3 : 2;
    else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return text.slice(start, i);
  }
  return '';
}

/** The first text among arguments, with what varies as `…`. @param {string} given */
function messageOf(given) {
  const first = [...given.matchAll(/"((?:[^"\\]|\\.)*)"/g)].find(([, text = '']) =>
    /\p{L}{2}/u.test(text.replace(/%\S*/g, '')),
  );
  const macro = /\b(QERR_\w+|BLOCKER_\w+)/.exec(given);
  if (first === undefined) return macro?.[1];
  let message = '';
  const rest = given.slice(first.index);
  const pieces = /\s*(?:"((?:[^"\\]|\\.)*)"|([A-Z][A-Za-z0-9_]*)\b(?!\s*\()|(\))?)/y;
  for (;;) {
    const at = pieces.lastIndex;
    const piece = pieces.exec(rest);
    if (piece === null || (piece[1] === undefined && piece[2] === undefined)) break;
    if (piece.index !== at && at > 0) break;
    message +=
      piece[1] ??
      (/^PRI|^HWADDR_|^TARGET_FMT|_FMT|FMT_|_PRI|^VADDR|^RAM_ADDR/.test(piece[2] ?? '') ? 'd' : '…');
  }
  return messageOfFormat(message.replace(/\\[nt]/g, ' ').replace(/\\"/g, '"'));
}

/** Runs of printable characters of which one is a word, as `strings` shows them. @param {Buffer} bytes */
function textsOfBinary(bytes) {
  return (bytes.toString('latin1').match(/[\x20-\x7e]{8,}/g) ?? []).filter((text) =>
    /[a-z]{3,} [a-z%]/.test(text),
  );
}

/** A format of printf with … for what varies. @param {string} format */
function messageOfFormat(format) {
  return format
    .replace(/%(?:\d+\$)?[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]/g, '…')
    .replace(/%%/g, '%')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The same with spaces for comments, so that places stay. @param {string} source */
function withoutComments(source) {
  return source.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (match) =>
    match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match,
  );
}
