#!/bin/sh
# Collects what "vmwalk capture --from FOLDER" makes a capture of, where there is no Node: it needs virsh and a POSIX shell
# with sed, awk and grep. It runs on the host of the domain, as a user who may change it.
set -eu
export LC_ALL=C
umask 077

usage() {
  cat <<'TEXT'
usage: collect-state.sh [-c URI] [-b] [-f] -o FOLDER DOMAIN

Takes the device state of a domain of libvirt that runs, and what its QEMU tells of it: the domain stands still for some
milliseconds and goes on. FOLDER is made, for its owner only: it has registers of the guest and the command line in it.

  -c URI     libvirt to ask: qemu:///system
  -o FOLDER  what is written; it must not be there
  -b         copy the program of QEMU and its modules, too: some tens of MB; without it, give capture --qemu
  -f         also where it could hurt: a migration or block job under way, vfio, vhost-user, vdpa

Example:
  collect-state.sh -b -o vm.collected vm    and where Node is: vmwalk capture --from vm.collected -o vm.state
TEXT
}

say() { printf 'collect-state.sh: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 2
}

uri='' folder='' with_program='' force=''
while getopts c:o:bfh option; do
  case $option in
    c) uri=$OPTARG ;;
    o) folder=$OPTARG ;;
    b) with_program=1 ;;
    f) force=1 ;;
    h)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done
shift $((OPTIND - 1))
if [ $# -ne 1 ] || [ -z "$folder" ]; then
  usage >&2
  exit 2
fi
domain=$1
case $folder in /*) ;; *) folder=./$folder ;; esac

# What virsh says on standard error, in one line.
words() { awk '{ sub(/^error: /, "") } NF { printf "%s%s", between, $0; between = ": " }'; }

# virsh with the URI, where one is given.
ask() { virsh ${uri:+"--connect=$uri"} "$@"; }

told=$(ask domuuid "--domain=$domain" 2>&1) || die "$(printf '%s\n' "$told" | words)"
uuid=$(printf '%s\n' "$told" | sed -n '/^[0-9a-f-]\{36\}$/p')
[ -n "$uuid" ] || die "virsh tells no UUID of $domain"

mkdir -m 700 -- "$folder" || exit 2
scratch=$folder/scratch
mkdir -- "$scratch"
finished=''
# Half of it is of no use.
clean() {
  if [ -n "$finished" ]; then rm -rf -- "$scratch"; else rm -rf -- "$folder"; fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# Asks the questions of a file, one of QMP each line, and appends each with its answer behind a tab to FOLDER/answers and
# to scratch/answered. One virsh gets as many as an argument has room for.
answer() {
  : >"$scratch/told"
  [ -s "$1" ] || { : >"$scratch/answered"; return 0; }
  awk -v uuid="$uuid" '
    {
      quoted = $0
      gsub(/\047/, "\\u0027", quoted)
      command = "qemu-monitor-command --domain " uuid " --cmd \047" quoted "\047;"
      if (batch != "" && length(batch) + length(command) > 90000) { print batch; batch = "" }
      batch = batch command
    }
    END { if (batch != "") print batch }
  ' "$1" >"$scratch/batches"
  while IFS= read -r batch; do
    # The exit status is that of the last command alone.
    ask "$batch" >>"$scratch/told" 2>"$scratch/errors" </dev/null || true
    [ ! -s "$scratch/errors" ] || die "$(words <"$scratch/errors")"
  done <"$scratch/batches"
  grep '^{' "$scratch/told" >"$scratch/lines" || true
  [ "$(wc -l <"$1")" -eq "$(wc -l <"$scratch/lines")" ] || die 'virsh does not answer each command with a line'
  paste "$1" "$scratch/lines" >"$scratch/answered"
  cat "$scratch/answered" >>"$folder/answers"
}

# The answer to a question without arguments that was answered last.
answer_to() { sed -n "s/^{\"execute\":\"$1\"}	//p" "$scratch/answered"; }

# What stands against it is told, and ends it without -f.
refuse() {
  [ -n "$force" ] || die "$1: not collected (-f collects it all the same)"
  say "warning: $1"
}

check_activity() {
  for command in query-status query-migrate query-block-jobs; do printf '{"execute":"%s"}\n' "$command"; done >"$scratch/activity"
  answer "$scratch/activity"
  status=$(answer_to query-status | sed -n 's/.*"status": *"\([^"]*\)".*/\1/p')
  case $status in
    running | paused | prelaunch) ;;
    suspended) die 'the VM is suspended, and QEMU would not make it go on' ;;
    *) refuse "the VM is $status" ;;
  esac
  migration=$(answer_to query-migrate)
  blocked=$(printf '%s' "$migration" | sed -n 's/.*"blocked-reasons": *\[\("[^]]*\)\].*/\1/p')
  [ -z "$blocked" ] || refuse "it cannot be migrated: $blocked"
  moving=$(printf '%s' "$migration" | sed -n 's/.*"status": *"\([^"]*\)".*/\1/p')
  case $moving in
    '' | none | completed | failed | cancelled) ;;
    *) refuse "a migration is under way ($moving)" ;;
  esac
  answer_to query-block-jobs | grep -q '"return": *\[\]' || refuse 'a block job is under way'
}

: >"$folder/answers"
check_activity

for command in query-version query-target query-kvm query-uuid query-migrate-capabilities query-hotpluggable-cpus \
  query-named-block-nodes query-block query-blockstats query-jobs query-dump; do
  printf '{"execute":"%s"}\n' "$command"
done >"$scratch/questions"
for line in 'info ramblock' 'info qtree' 'info network'; do
  printf '{"execute":"human-monitor-command","arguments":{"command-line":"%s"}}\n' "$line"
done >>"$scratch/questions"
printf '%s\n' '{"execute":"qom-get","arguments":{"path":"/machine","property":"type"}}' >>"$scratch/questions"
answer "$scratch/questions"
if grep -q 'type=vhost-\(user\|vdpa\)' "$scratch/answered"; then refuse 'it has a vhost-user or vdpa network'; fi

# QEMU's tree of objects, level by level. A line of a level is the path of an object, as JSON has it.
printf '/machine\n' >"$scratch/level"
levels=0
while [ -s "$scratch/level" ]; do
  levels=$((levels + 1))
  [ "$levels" -le 64 ] || die 'the tree of objects is too deep'
  sed 's|.*|{"execute":"qom-list","arguments":{"path":"&"}}|' "$scratch/level" >"$scratch/questions"
  answer "$scratch/questions"
  : >"$scratch/next"
  : >"$scratch/questions"
  cut -f 2 "$scratch/answered" | paste "$scratch/level" - | awk -F '\t' -v next_level="$scratch/next" -v questions="$scratch/questions" '
    function member(text, name,    found) {
      if (!match(text, "\"" name "\": ?\"([^\"\\\\]|\\\\.)*\"")) return ""
      text = substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
      sub(/^ ?"/, "", text)
      return text
    }
    {
      path = $1
      rest = $2
      count = 0
      is_device = path == "/machine"
      while (match(rest, /\{"(name|type)": ?"([^"\\]|\\.)*", ?"(name|type)": ?"([^"\\]|\\.)*"/)) {
        object = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        name = member(object, "name")
        type = member(object, "type")
        if (name == "parent_bus") is_device = 1
        if (type ~ /^child</) {
          if (type !~ /(memory-region|^child<irq|^child<split-irq|^child<or-irq)>$/) print path "/" name >next_level
          if (type ~ /^child<(vfio-|vhost-user-|vhost-vdpa-)/) print path "/" name >(next_level ".foreign")
        }
        else if (name == "parent_bus" || (type !~ /^link</ && name !~ /^(type|realized|hotplugged|hotpluggable|legacy-addr)$/))
          names[++count] = name
      }
      if (is_device)
        for (i = 1; i <= count; i++)
          printf "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"%s\",\"property\":\"%s\"}}\n", path, names[i] >questions
    }
  '
  [ ! -s "$scratch/next.foreign" ] || refuse "it has $(head -n 1 "$scratch/next.foreign")"
  rm -f "$scratch/next.foreign"
  mv "$scratch/next" "$scratch/level"
  answer "$scratch/questions"
done

# QEMU's process, whose command line has the UUID behind -uuid.
pid=''
for file in $(grep -lF -e "$uuid" /proc/[0-9]*/cmdline 2>/dev/null || true); do
  tr '\000' '\n' <"$file" 2>/dev/null | awk -v uuid="$uuid" '
    NR == 1 && $0 !~ /(^|\/)(qemu-system-|qemu-kvm|kvm$)/ { exit }
    before == "-uuid" && $0 == uuid { found = 1 }
    { before = $0 }
    END { exit !found }
  ' || continue
  [ -z "$pid" ] || die "processes $pid and ${file#/proc/} both have the UUID $uuid"
  pid=${file#/proc/}
  pid=${pid%/cmdline}
done
if [ -z "$pid" ]; then
  say "warning: no process of QEMU can be seen that has the UUID $uuid: its command line and program are missing"
else
  printf '%s\n' "$pid" >"$folder/pid"
  cat "/proc/$pid/cmdline" >"$folder/command-line"
  if [ -n "$with_program" ]; then
    mkdir "$folder/program"
    program=$(tr '\000' '\n' <"/proc/$pid/cmdline" | head -n 1)
    cat "/proc/$pid/exe" >"$folder/program/${program##*/}"
    sed -n 's/^[^/]*//p' "/proc/$pid/maps" | sort -u | grep '/hw-[^/]*\.so$' | while IFS= read -r module; do
      cat "/proc/$pid/root$module" >"$folder/program/${module##*/}"
    done
  fi
fi

# It may do something else by now.
check_activity
was=$status

# The file is open for QEMU to write alone. QEMU stops the VM before it looks for the file: nothing is asked of it where it
# did not take it. Signals wait until the domain goes on.
trap '' HUP INT TERM
set=$(($$ % 1000000 + 1000000))
monitor="qemu-monitor-command --domain $uuid"
added=$(ask "$monitor --pass-fds 3 --cmd '{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":$set,\"opaque\":\"vmwalk\"}}'" 3>"$folder/state" 2>&1) || true
case $added in
  *'"return"'*) ;;
  *) die "QEMU does not take a file: $(printf '%s\n' "$added" | words)" ;;
esac
ask --timing "$monitor --cmd '{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"/dev/fdset/$set\",\"live\":false}}'; $monitor --cmd '{\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":$set}}'" >"$folder/saved" 2>"$scratch/errors" </dev/null || true
case $was in
  running)
    now=$(ask "$monitor --cmd '{\"execute\":\"query-status\"}'" 2>&1) || true
    case $now in
      *'"save-vm"'*)
        say 'warning: QEMU did not make the VM go on: it was told to (cont)'
        ask "$monitor --cmd '{\"execute\":\"cont\"}'" >/dev/null
        ;;
    esac
    ;;
esac
[ ! -s "$scratch/errors" ] || die "$(words <"$scratch/errors")"
if grep -q '"error"' "$folder/saved"; then die "$(sed -n 's/.*"desc":"\([^"]*\)".*/\1/p' "$folder/saved" | head -n 1)"; fi
finished=1
pause=$(sed -n 's/^(Time: \(.*\) ms)$/\1/p' "$folder/saved" | head -n 1)
say "$folder: $(wc -l <"$folder/answers" | tr -d ' ') answers, $(wc -c <"$folder/state" | tr -d ' ') bytes of state; it stood still for $pause ms at the most"
