#!/usr/bin/env python3
"""Cold blocks in an S3-compatible store: an emulator on the loopback interface, beside a local directory.

  check_s3.py --cvx PATH [--points 20000]

PATH is a cvx built with --features s3. A dataset goes to cold in s3://cvx/cold and a copy of it to a local
directory; every answer must be the same bytes, also from an empty cache and after a restore. Then what a bad store
does: it is gone, it forgets an object, an object is cut short. Each must be one clear line and exit code, and the
dataset must be whole again once the store is. Needs moto[server] (the emulator) and boto3.
"""
import argparse, json, os, random, shutil, socket, subprocess, sys, tempfile, time

import boto3


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--cvx", required=True)
    ap.add_argument("--points", type=int, default=20_000)
    o = ap.parse_args()
    work = tempfile.mkdtemp(prefix="cvx-s3-")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
           "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "XDG_CACHE_HOME": os.path.join(work, "cache")}
    os.environ.update(env)

    def server():
        p = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return p
            except OSError:
                time.sleep(0.1)
        sys.exit("the emulator does not start")

    emulator = server()
    s3 = boto3.client("s3", endpoint_url=url)
    s3.create_bucket(Bucket="cvx")

    def cvx(d, *args, check=True):
        p = subprocess.run([o.cvx, "-d", os.path.join(work, d), "-q", *args], capture_output=True, text=True, env=env)
        if check and p.returncode != 0:
            emulator.kill()
            sys.exit(f"cvx {' '.join(args)}: exit {p.returncode}\n{p.stderr}")
        return p

    rng = random.Random(1)
    source = os.path.join(work, "in.jsonl")
    with open(source, "w") as f:
        for e in range(100):
            v = [rng.gauss(0, 1) for _ in range(32)]
            for i in range(o.points // 100):
                v = [x + rng.gauss(0, 0.05) for x in v]
                f.write(json.dumps({"entity_id": e, "timestamp": f"2020-{1 + i % 12:02}-{1 + i // 12 % 28:02}T{i % 24:02}:00:00Z",
                                    "vector": v, "n": i}) + "\n")
    subprocess.run([o.cvx, "init", os.path.join(work, "base"), "--dim", "32"], check=True, capture_output=True)
    cvx("base", "ingest", source, "--on-conflict", "replace")
    cvx("base", "compact", "--keep-for", "0s")

    def fresh(name):
        shutil.rmtree(os.path.join(work, name), ignore_errors=True)
        shutil.copytree(os.path.join(work, "base"), os.path.join(work, name))

    def forget(name):
        shutil.rmtree(os.path.join(work, name, "cache"), ignore_errors=True)

    def objects():
        return s3.list_objects_v2(Bucket="cvx").get("Contents", [])

    asked = [["export", "-f", "csv"], ["query", "knn", "--like", "5", "-k", "20", "-f", "csv"],
             ["query", "asof", "--at", "2020-07-01", "-f", "csv"], ["drift", "--flips", "0", "-f", "csv"]]
    answers = lambda d: [cvx(d, *q).stdout for q in asked]
    for codec in ["zstd", "rabitq:1", "opq:8"]:
        run = ["tier", "run", "--older-than", "30d", "--codec", codec, "--yes", "--keep-for", "0s"]
        fresh("a"), fresh("b")
        cvx("a", *run, "--target", "s3://cvx/cold")
        cvx("b", *run, "--target", os.path.join(work, "local"))
        stored = objects()
        local = answers("b")
        same = [answers("a") == local]
        forget("a")
        same.append(answers("a") == local)
        deep = cvx("a", "verify", "--level", "deep", check=False).returncode
        print(f"{codec}: {len(stored)} objects, {sum(x['Size'] for x in stored)} bytes; the same answers as from a "
              f"local directory: {same[0]}, from an empty cache: {same[1]}; verify deep: exit {deep}", flush=True)
        for d in "ab":
            cvx(d, "tier", "restore", "--all", "--keep-for", "0s")
        if not all(same) or deep != 0 or not stored or objects():
            emulator.kill()
            sys.exit("wrong")
    fresh("c")
    right = answers("c")
    emulator.kill()
    emulator.wait()
    gone = cvx("c", "tier", "run", "--older-than", "30d", "--codec", "zstd", "--target", "s3://cvx/bad", check=False)
    print(f"store away, tier run: exit {gone.returncode}: {gone.stderr.splitlines()[:1]}")
    whole = answers("c") == right
    emulator = server()
    s3.create_bucket(Bucket="cvx")
    cvx("c", "tier", "run", "--older-than", "30d", "--codec", "zstd", "--target", "s3://cvx/bad")
    name = [x["Key"] for x in objects() if x["Key"].endswith(".pqvec")][0]
    body = s3.get_object(Bucket="cvx", Key=name)["Body"].read()
    for what, spoil in [("object forgotten", lambda: s3.delete_object(Bucket="cvx", Key=name)),
                        ("object cut short", lambda: s3.put_object(Bucket="cvx", Key=name, Body=body[:len(body) // 2])),
                        ("a byte flipped", lambda: s3.put_object(Bucket="cvx", Key=name, Body=body[:9999] + bytes([body[9999] ^ 1]) + body[10000:]))]:
        spoil()
        forget("c")
        p = cvx("c", "export", "-f", "csv", check=False)
        print(f"{what}, export: exit {p.returncode}: {p.stderr.splitlines()[:2]}")
        whole &= p.returncode != 0 and "panicked" not in p.stderr
    s3.put_object(Bucket="cvx", Key=name, Body=body)
    whole &= answers("c") == right
    cvx("c", "tier", "restore", "--all", "--keep-for", "0s")
    whole &= answers("c") == right and not objects()
    emulator.kill()
    print(f"whole again: {whole}")
    shutil.rmtree(work)
    if not whole:
        sys.exit("wrong")


if __name__ == "__main__":
    main()
