import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rules } from '../../src/check/rules.ts';
import { compatRules } from '../../src/compat/rules.ts';
import { readExplanations } from '../../src/node/explanations.ts';
import { explainFeatures, explainMessages, messageTemplates, nearCodes } from '../../src/ops/explain.ts';

/** Codes with their titles, of all lists that pages are written for. */
const codes = new Map<string, string>([...Object.entries(rules), ...compatRules]);

/** Rules of what QEMU does not object to. */
const silent = new Set([
  'missing-section',
  'ram-block-resized',
  'missing-ram-block',
  'missing-subsection',
  'not-checked',
]);

const explanations = await readExplanations();
const pages = explanations.filter(({ kind }) => kind === 'rule');
const docs = new URL('../../docs/', import.meta.url);

test.each([...codes])('%s has a page', (code, title) => {
  const page = pages.find((each) => each.code === code);
  expect(page?.title).toBe(title);
  const headings = page?.text.match(/^## .*$/gm);
  expect(headings).toEqual([
    '## What it means',
    '## What QEMU says',
    '## Why',
    '## What helps',
    '## Example',
  ]);
  // A comparison of two QEMUs is not about one message; its pages name those of check.
  const hasMessages = !silent.has(code) && !code.startsWith('compat-');
  expect(messageTemplates(page?.text ?? '').length > 0).toBe(hasMessages);
});

test('there is no page without a code', () => {
  const others = pages.filter(({ code }) => !codes.has(code));
  expect(others.map(({ code }) => code)).toEqual([]);
});

test('every problem is explained', () => {
  const source = readFileSync(new URL('../../src/bytes/diagnostic.ts', import.meta.url), 'utf8');
  const problems = [...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code]) => code);
  const explained = explanations.filter(({ kind }) => kind === 'problem').map(({ code }) => code);
  expect(new Set(explained)).toEqual(new Set(problems));
});

test('the page on check lists every rule, and its links lead somewhere', () => {
  const text = readFileSync(new URL('check.md', docs), 'utf8');
  for (const [code, title] of Object.entries(rules)) {
    expect(text).toContain(`](rules/${code}.md)`);
    expect(text).toContain(`| ${title} |`);
  }
  for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g))
    expect(existsSync(new URL(target, docs))).toBe(true);
});

/**
 * What destinations printed: QEMU, what was different there from the source or damaged, the message, and the pages that
 * have it.
 */
const refusals: readonly (readonly [string, string, string, readonly string[]])[] = [
  [
    '7.2',
    'pc of 5.2 at pc of 7.2',
    "qemu-system-x86_64: Machine type received is 'pc-i440fx-5.2' and local is 'pc-i440fx-7.2'",
    ['machine-type'],
  ],
  [
    '11.1',
    'pc of 5.2 at pc of 11.1',
    "qemu-system-x86_64: load of migration failed: Invalid argument: post load hook failed for: configuration, version_id: 1, minimum_version: 0: Machine type received is 'pc-i440fx-5.2' and local is 'pc-i440fx-11.1'",
    ['machine-type'],
  ],
  [
    '7.2',
    'x-ignore-shared at the source only',
    'qemu-system-x86_64: Capability x-ignore-shared is off, but received capability is on',
    ['capabilities'],
  ],
  [
    '11.1',
    'validate-uuid, another -uuid',
    "qemu-system-x86_64: load of migration failed: Invalid argument: Loading VM subsection 'configuration/uuid' in 'configuration' failed: post load hook failed for: configuration/uuid, version_id: 1, minimum_version: 1, ret: -22",
    ['uuid'],
  ],
  [
    '11.1',
    'send-configuration=off at the source',
    'qemu-system-x86_64: load of migration failed: Invalid argument: Configuration section missing, 1 != 7',
    ['missing-configuration'],
  ],
  [
    '7.2',
    'g3beige of 11.1',
    'qemu-system-ppc: MIG_CMD 0xb unknown (len 0x0)\nqemu-system-ppc: load of migration failed: Invalid argument',
    ['unknown-command'],
  ],
  [
    '11.1',
    'POSTCOPY_LISTEN before RAM',
    'qemu-system-x86_64: load of migration failed: Operation not permitted: CMD_POSTCOPY_LISTEN in wrong postcopy state (0)',
    ['command-order'],
  ],
  [
    '10.0',
    'no virtio-rng-pci',
    "qemu-system-x86_64: Unknown savevm section or instance '0000:00:02.0/virtio-rng' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices",
    ['unknown-section'],
  ],
  [
    '11.1',
    'fewer CPUs',
    "qemu-system-x86_64: load of migration failed: Invalid argument: Unknown section or instance 'cpu_common' 1. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices",
    ['unknown-section'],
  ],
  [
    '10.0',
    'riscv virt of 11.1',
    "qemu-system-riscv64: savevm: unsupported version 12 for 'cpu' v10",
    ['section-too-new'],
  ],
  [
    '10.0',
    'riscv virt of 7.2',
    'qemu-system-riscv64: cpu: incoming version_id 5 is too old for local minimum version_id  10',
    ['section-too-old'],
  ],
  [
    '11.1',
    'riscv virt of 10.0',
    "qemu-system-riscv64: load of migration failed: Invalid argument: error while loading state for instance 0x0 of device 'cpu': cpu: incoming version_id 10 is too old for local minimum version_id 12",
    ['section-too-old'],
  ],
  [
    '7.2',
    'memory-backend=mem0',
    'qemu-system-x86_64: Unknown ramblock "pc.ram", cannot accept migration',
    ['unknown-ram-block'],
  ],
  [
    '7.2',
    '-m 64 for -m 32',
    'qemu-system-x86_64: Size mismatch: pc.ram: 0x2000000 != 0x4000000: Invalid argument',
    ['ram-block-size'],
  ],
  [
    '10.0',
    'am53c974 of 5.2',
    'the one being picked for CMOS setup might not reflect your intentqemu-system-x86_64: Missing section footer for 0000:00:05.0/pciespscsi',
    ['section-layout', 'array-length', 'damaged-stream', 'section-footers'],
  ],
  [
    '10.0',
    'g3beige of 11.1',
    "qemu-system-ppc: error while loading state for instance 0x0 of device 'cpu'\nqemu-system-ppc: load of migration failed: No such file or directory",
    ['unknown-subsection'],
  ],
  ['7.2', 'max_outputs=1 for max_outputs=2', 'qemu-system-x86_64: 1 != 2', ['unequal-field']],
  [
    '7.2',
    'cortex-a57 of 10.0',
    'qemu-system-aarch64: Invalid value 275 expecting positive value <= 258',
    ['field-too-large'],
  ],
  [
    '11.1',
    'hpet.timers=3 for hpet.timers=5',
    "qemu-system-x86_64: load of migration failed: Invalid argument: error while loading state for instance 0x0 of device 'hpet': Input validation failed: hpet/num_timers must match version_id: 2",
    ['failed-validation'],
  ],
  [
    '7.2',
    'vectors=3 for vectors=4',
    'qemu-system-x86_64: get_pci_config_device: Bad config data: i=0x9a read: 3 device: 2 cmask: ff wmask: 0 w1cmask:0',
    ['pci-config'],
  ],
  ['7.2', 'level of a pin damaged', 'irq state 5: must be 0 or 1.', ['pci-irq-state']],
  [
    '11.1',
    'a feature that virtio-rng does not have',
    'qemu-system-x86_64: Features 0x00000000000000000000000000000000 unsupported. Allowed features: 0x00000000000000000000010179000000',
    ['virtio-features'],
  ],
  [
    '11.1',
    'queue-size=128 for queue-size=256',
    "qemu-system-x86_64: VQ 0 vring.num 256 exceeds allocated max 128\nqemu-system-x86_64: load of migration failed: Invalid argument: error while loading state for instance 0x0 of device '0000:00:02.0/virtio-blk': Failed to load element of type virtio for virtio",
    ['virtio-queues'],
  ],
  [
    '7.2',
    'virtserialport nr=2 for nr=1',
    'qemu-system-x86_64: Failed to load virtio-console:virtio',
    ['virtio-serial-ports'],
  ],
  [
    '11.1',
    'cortex-a57 of 7.2',
    'qemu-system-aarch64: handle_cpreg_only_in_incoming_stream: system register 0x200f3a00 in the incoming stream but unknown on the destination: fail migration',
    ['cpu-registers'],
  ],
  [
    '7.2',
    'pseries without cap-cfpc=fixed',
    'qemu-system-ppc64: cap-cfpc higher level (2) in incoming stream than on destination (1)',
    ['spapr-capability'],
  ],
  [
    '7.2',
    'virtio-mem block-size=4M for 2M',
    "qemu-system-x86_64: Property 'block-size' changed from 0x200000 to 0x400000",
    ['post-load'],
  ],
  [
    '11.1',
    'type of a section damaged',
    'qemu-system-x86_64: load of migration failed: Invalid argument: Unknown section type 12',
    ['damaged-stream'],
  ],
  [
    '7.2',
    'cut in i8254',
    "qemu-system-x86_64: Failed to load i8254:channels[0].irq_disabled\nqemu-system-x86_64: error while loading state for instance 0x0 of device 'i8254'\nqemu-system-x86_64: load of migration failed: Input/output error",
    ['load-failed', 'truncated-stream'],
  ],
];

test.each(refusals)('QEMU %s, %s', (_version, _case, message, expected) => {
  expect(explainMessages(explanations, message).pages.map(({ code }) => code)).toEqual(expected);
});

/** Rows of a list of messages: pages that are right, with commas between (`-`: none), and a message. */
function messagesIn(file: string): [string, string][] {
  return readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t') as [string, string]);
}

function firstPage(text: string): string {
  return explainMessages(explanations, text).pages[0]?.code ?? '-';
}

/** What QEMU 5.2 to 11.1 and libvirt print when a save, load or migration fails: pages and message (scripts/messages). */
const listed = messagesIn('messages.tsv');

/**
 * Lines as people have posted them in trackers, lists and forums, with `\n` for their ends, and lines drawn from the
 * sources at random; the pages were decided by what the lines mean, before the command was asked.
 */
test.each(['messages-posted.tsv', 'messages-drawn.tsv'])('lines of %s find their page first', (file) => {
  const wrong = messagesIn(file)
    .map(([codes, text]) => ({ codes, text, found: firstPage(text.replaceAll('\\n', '\n')) }))
    .filter(({ codes, found }) => !codes.split(',').includes(found));
  expect(wrong).toEqual([]);
});

test.each([
  ['', '7'],
  ['2026-01-02T03:04:05.678901Z qemu-system-x86_64: ', '0000:00:02.0/virtio-net'],
  [
    'error: internal error: qemu unexpectedly closed the monitor: 2026-01-02 03:04:05.678+0000: qemu-kvm: ',
    'pc.ram',
  ],
])('every message of the list has its page first, behind %j', (prefix, filling) => {
  const wrong = listed.filter(([codes, message]) => {
    return !codes.split(',').includes(firstPage(`${prefix}${message.replaceAll('…', filling)}`));
  });
  expect(wrong).toEqual([]);
});

test.each([
  ['State blocked by non-migratable', 'blocker-device'],
  ['stateblob (type 1) failed with a TPM error', 'tpm-state'],
  ['is writable but does not support', 'snapshot-device'],
  ['IO failure for postcopy. Migration', 'postcopy-failed'],
  ["CPU doesn't match specification: extra", 'libvirt-cpu'],
  [
    "Unknown savevm section or instance '0000:00:02.0/virtio-rng' 0. Make sure that your current VM setup matches\nyour saved VM setup",
    'unknown-section',
  ],
])('a part of a message, %j', (part, expected) => {
  expect(explainMessages(explanations, part).pages[0]?.code).toBe(expected);
});

test('both masks of virtio features name the features and the properties that switch them', () => {
  const message = 'qemu-kvm: Features 0x1c0010130afffaf unsupported. Allowed features: 0x10179bfffef';
  expect(explainFeatures(message)).toEqual([
    'refused: GUEST_USO4, GUEST_USO6, HOST_USO of virtio network; switched off at both sides by guest_uso4=off,guest_uso6=off,host_uso=off',
  ]);
  expect(explainMessages(explanations, message).pages[0]?.code).toBe('virtio-features');
});

test.each([...['save', 'load', 'transport', 'libvirt']])(
  'pages of kind %s have what it means, what helps, messages',
  (kind) => {
    const ofKind = explanations.filter((each) => each.kind === kind);
    expect(ofKind.length).toBeGreaterThan(0);
    for (const { text } of ofKind) {
      expect(text.match(/^## .*$/gm)).toEqual(['## What it means', '## What helps', '## Messages']);
      expect(messageTemplates(text).length).toBeGreaterThan(0);
    }
  },
);

test('a message of something else has no page', () => {
  expect(explainMessages(explanations, 'qemu-system-x86_64: terminating on signal 15').pages).toEqual([]);
  expect(explainMessages(explanations, '').pages).toEqual([]);
});

test('whatever fills a template, its page is among those found', () => {
  const templates = pages.flatMap((page) =>
    messageTemplates(page.text).map((template) => ({ page, template })),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...templates),
      fc.stringMatching(/^[\w:./-]{1,20}$/),
      ({ page, template }, filling) => {
        const others = pages.filter(
          (other) => other !== page && messageTemplates(other.text).includes(template),
        );
        const found = explainMessages([page, ...others], template.replaceAll('…', filling));
        expect(found.pages).toContain(page);
      },
    ),
  );
});

test('slips of the pen are understood', () => {
  const all = explanations.map(({ code }) => code);
  expect(nearCodes(all, 'pci-confg')[0]).toBe('pci-config');
  expect(nearCodes(all, 'virtio-feature')[0]).toBe('virtio-features');
  expect(nearCodes(all, 'badfooter')[0]).toBe('bad-footer');
  expect(nearCodes(all, 'xyzzy')).toEqual([]);
  expect(nearCodes(all, '')).toEqual([]);
});
