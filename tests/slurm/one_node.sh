#!/usr/bin/env bash
# A Slurm of one node on this machine, with a GPU in name only and partitions that preempt, to run the workflow on it in tests. As root, with Debian's
# packages slurmctld, slurmd, slurm-client and munge:
#   tests/slurm/one_node.sh start DIR   configuration, state, logs and process ids go to DIR; returns when the node is ready
#   tests/slurm/one_node.sh stop DIR    cancels its jobs and stops its daemons
# While it runs, /etc/slurm/slurm.conf is a link into DIR: jobs find Slurm there alone. A configuration of anyone else's
# stays as it is, and nothing starts.
set -euo pipefail

fail() {
    echo "one_node.sh: $*" >&2
    exit 1
}

action=${1:-} dir=${2:-}
[ -n "$dir" ] || fail "usage: tests/slurm/one_node.sh start|stop DIR"
dir=$(realpath -m "$dir")
link=/etc/slurm/slurm.conf
host=$(hostname -s)
export SLURM_CONF=$dir/slurm.conf

configure() {
    mkdir -p "$dir"/{state,spool,log,run}
    chmod 755 "$dir" "$dir/log" "$dir/run" # as munged wants them
    (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
    cat >"$SLURM_CONF" <<EOF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
MinJobAge=3600
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=9000 Gres=gpu:1
PartitionName=cpu Nodes=$host Default=YES
PartitionName=gpu Nodes=$host MaxTime=05:00:00
PartitionName=spare Nodes=$host PreemptMode=CANCEL
PartitionName=urgent Nodes=$host PriorityTier=10
EOF
    echo "NodeName=$host Name=gpu File=/dev/null" >"$dir/gres.conf"
    echo "CgroupPlugin=cgroup/v1" >"$dir/cgroup.conf" # without it slurmd asks a systemd that a container lacks
}

wait_until() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

node_is_idle() { [ "$(sinfo --noheader --format=%T | sort -u)" = idle ]; }
no_job_is_left() { [ -z "$(squeue --noheader)" ]; }
has_ended() { ! kill -0 "$1"; }

start() {
    [ "$(id -u)" = 0 ] || fail "Slurm's daemons want to be started by root"
    if [ -e $link ]; then fail "$link exists: this machine has a Slurm already"; fi
    configure
    mkdir -p /etc/slurm
    ln -sfn "$SLURM_CONF" $link
    munged --force --key-file="$dir/munge.key" --socket="$dir/run/munge.socket" --pid-file="$dir/run/munged.pid" \
        --log-file="$dir/log/munged.log" --seed-file="$dir/state/munge.seed"
    slurmctld
    slurmd -N "$host"
    wait_until 30 node_is_idle || fail "the node did not get ready; see $dir/log"
}

stop() {
    local daemon pid
    [ "$(readlink $link)" = "$SLURM_CONF" ] || fail "$link is not a link to $SLURM_CONF: nothing of ours runs there"
    scancel --user="$(id -un)" || true
    wait_until 60 no_job_is_left || true # Slurm waits 30 seconds before it kills
    for daemon in slurmd slurmctld munged; do
        pid=$(cat "$dir/run/$daemon.pid" 2>/dev/null) || continue
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$daemon" ] || continue
        kill "$pid"
        wait_until 10 has_ended "$pid" || kill -KILL "$pid"
    done
    for pid in $(pgrep .); do # of a job that Slurm could not end, or forgot when it lost the node
        if grep -qszxF "SLURM_CONF=$SLURM_CONF" "/proc/$pid/environ"; then kill -KILL "$pid" 2>/dev/null || true; fi
    done
    rm $link
}

case $action in
    start) start ;;
    stop) stop ;;
    *) fail "unknown action '$action'; use start or stop" ;;
esac
