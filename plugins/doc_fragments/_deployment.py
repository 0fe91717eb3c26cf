# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """The options of a deployment; they are the same as OPTIONS in module_utils/_common/deployment_options.py."""

    DOCUMENTATION = r"""
options:
  deployments:
    description:
      - The deployments of this host. Each may have the suboptions below and no others.
      - An option that sets a variable of the server has the variable's name in lower case. Left out, the variable is
        left out too and the server's own default holds, unless a default stands here.
      - Declared without suboptions to Ansible, so that every mistake of the list is told at once, in the words of this
        check rather than in Ansible's.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the deployment. C(a-z), C(0-9) and hyphens inside, beginning with a letter, at most 63 characters.
          - It names the Redis user, the Postgres database and role (with V(_) for V(-)), the unit
            C(langgraph@NAME.N.service) and the container C(langgraph-NAME.N) of its revision N.
          - It is the deployment's identity. Another name is another, empty deployment; the one of before runs on
            until it is listed with O(deployments[].state=absent).
        type: str
        required: true
      image:
        description:
          - Image of the server, V(NAME:TAG) or V(NAME@DIGEST). Required with O(deployments[].state=present).
          - Another image makes a new revision. The server's migrations of its database only go forward.
        type: str
      port:
        description:
          - Port of the host on which the server answers, from 1 to 65535. Required with
            O(deployments[].state=present).
          - Deployments may share one where each has O(deployments[].hostname) or O(deployments[].mount_prefix).
          - Changing it moves the proxy, and no container. Without the proxy it restarts the container.
        type: int
      bind_address:
        description:
          - Address of the host on which the server answers. The default is O(bind_address).
          - Changing it moves the proxy, and no container. Without the proxy it restarts the container.
        type: str
      hostname:
        description:
          - Host name that clients ask for, by which the proxy tells deployments on the same port apart.
          - Requests for another name get 404. Changing it changes the proxy, and no container.
        type: str
      tls:
        description:
          - Whether the proxy speaks TLS on the port, with the certificates of P(selfhost.langgraph.proxy#role).
          - Changing it changes the proxy, and no container.
        type: bool
        default: false
      may_reach:
        description:
          - Names of other deployments of the same host whose public port the containers of this one reach, at the gateway of
            the deployments' network (V(172.29.0.1) by default) or at any other address of the host that they answer on.
          - Without it none of them is reached. Deployments that share a port are reached together.
          - One that is named needs a O(deployments[].bind_address) that is not the loopback. Its API asks nobody for a login
            by itself.
          - Changing it touches no container, and holds at once.
        type: list
        elements: str
        default: []
      state:
        description:
          - With V(present) the deployment runs.
          - With V(absent) its containers are stopped and removed, background runs get their grace and open streams are cut;
            its databases and its claims stay. No other option but O(deployments[].name) is needed then.
        type: str
        choices: [present, absent]
        default: present
      edition:
        description:
          - Which licence the server asks for, where that cannot be told from the credentials that are given.
          - V(lite) takes O(deployments[].langsmith_api_key) alone, V(enterprise) takes
            O(deployments[].langgraph_cloud_license_key) and allows a LangSmith key for tracing beside it, V(none) is
            for images that check no licence.
          - It is used by this check alone. Changing it does nothing to the container.
        type: str
        choices: [lite, enterprise, none]
      redis_db:
        description:
          - Redis database number to claim. If omitted, the deployment keeps its database number, and a new deployment gets
            the lowest free one.
          - A deployment cannot move to another database. A change is refused when the claim is made.
        type: int
      redis_key_patterns:
        description:
          - Patterns of the keys that the deployment's Redis user may touch. The default is the prefix with V(*) after
            it.
          - Needed for servers that do not prefix their keys. Changing it changes the user's rights at once, without a
            restart.
        type: list
        elements: str
      redis_channel_patterns:
        description:
          - Patterns of the channels that the deployment's Redis user may use. The default is
            O(deployments[].redis_key_patterns).
          - Channels ignore Redis numbers, so patterns that meet those of another deployment of the same server are refused.
          - Changing it changes the user's rights at once, without a restart.
        type: list
        elements: str
      redis_shared_channels:
        description:
          - Whether its channels may meet those of other deployments that have this set too. It is for servers with fixed
            channels. Each of them then hears the events of the others, and can forge them.
          - It is kept as a right of the deployment's Redis user, so that it counts for deployments that another play has listed.
        type: bool
        default: false
      redis_password:
        description:
          - Password of the deployment's Redis user. The default is derived from O(secret_key).
          - Changing it sets the password and makes a new revision.
        type: str
      postgres_password:
        description:
          - Password of the deployment's Postgres role. The default is derived from O(secret_key).
          - Changing it sets the password and makes a new revision.
        type: str
      password_generation:
        description:
          - Number of the derived passwords, from 1 on. The next number gives two new passwords and makes a new revision of the
            same content. The passwords of before are revoked once no revision on any host has them in use.
        type: int
        default: 1
      accept_new_aes_key:
        description:
          - Whether O(deployments[].langgraph_aes_key) may differ from the key of before. What that one has encrypted is lost to the
            deployment then.
        type: bool
        default: false
      extensions:
        description:
          - Postgres extensions to create in the deployment's database, for example V(vector) for an indexed store.
          - A name that is added is created at once, without a restart. A name that is taken out is not dropped.
        type: list
        elements: str
        default: []
      memory:
        description:
          - Most memory that the container may use, as the engine writes it, for example V(2g). At least V(6m).
          - Changing it makes a new revision.
        type: str
      cpus:
        description:
          - Most CPUs that the container may use, for example V(1.5).
          - Changing it makes a new revision.
        type: float
      user:
        description:
          - User in the container, V(UID) or V(UID:GID). The default is that of the image.
          - Changing it makes a new revision.
        type: str
      read_only:
        description:
          - Whether the container's file system is read-only, but for C(/tmp).
          - Changing it makes a new revision.
        type: bool
        default: false
      env:
        description:
          - More variables for the application, by name. Values are texts, numbers or booleans, without line breaks.
          - Variables that have an option here, and those that the collection computes, such as E(REDIS_URI), are
            refused.
          - Changing it makes a new revision.
        type: dict
        default: {}
      env_file:
        description:
          - A C(.env) file on the control node with variables of the server and of the application; it may be
            encrypted with Ansible Vault. A relative path is looked for beside the inventory, in the current folder
            and where tasks look for files.
          - An option given here, and O(deployments[].env), win over it. A pool size in it is not seen by
            P(selfhost.langgraph.connections_needed#filter).
          - It is read in each run. Changing its content makes a new revision.
        type: str
      langsmith_api_key:
        description:
          - API key of LangSmith. It licenses the Lite edition and sends traces.
          - Sets E(LANGSMITH_API_KEY). Changing it makes a new revision.
        type: str
      langgraph_cloud_license_key:
        description:
          - Licence key of the Enterprise edition.
          - Sets E(LANGGRAPH_CLOUD_LICENSE_KEY). Changing it makes a new revision.
        type: str
      langchain_endpoint:
        description:
          - URL of a self-hosted LangSmith. It wins over O(deployments[].langsmith_endpoint) where the licence is
            checked.
          - Sets E(LANGCHAIN_ENDPOINT). Changing it makes a new revision.
        type: str
      langsmith_endpoint:
        description:
          - URL of LangSmith, where it is not the vendor's own in the US.
          - Sets E(LANGSMITH_ENDPOINT). Changing it makes a new revision.
        type: str
      langsmith_runs_endpoints:
        description:
          - Several LangSmith servers to send traces to, as a mapping of URL to API key. The SDK refuses it together
            with one of the two endpoints.
          - Sets E(LANGSMITH_RUNS_ENDPOINTS). Changing it makes a new revision.
        type: dict
      langsmith_tracing:
        description:
          - Whether traces are sent. Without it they are, as soon as there is an API key.
          - Sets E(LANGSMITH_TRACING). Changing it makes a new revision.
        type: bool
      langsmith_auth_endpoint:
        description:
          - URL of the LangSmith that authenticates requests. Required with
            O(deployments[].langgraph_auth_type=langsmith).
          - Sets E(LANGSMITH_AUTH_ENDPOINT). Changing it makes a new revision.
        type: str
      langsmith_tenant_id:
        description:
          - Tenant whose members may use the server. Required with O(deployments[].langgraph_auth_type=langsmith).
          - Sets E(LANGSMITH_TENANT_ID). Changing it makes a new revision.
        type: str
      langgraph_auth_type:
        description:
          - Who may use the server's API. V(noop) is anybody who reaches it.
          - Sets E(LANGGRAPH_AUTH_TYPE). Changing it makes a new revision.
        type: str
        choices: [noop, langsmith]
      langgraph_aes_key:
        description:
          - Key of 16, 24 or 32 bytes that encrypts checkpoints. With another key, or without one, what was encrypted
            before cannot be read any more.
          - There is one key at a time, and what it has encrypted only it can read. So another key, or none, is refused where a
            revision with this one serves on the host, or where Postgres remembers it with the database, unless
            O(deployments[].accept_new_aes_key) is set. A first key is accepted.
          - Sets E(LANGGRAPH_AES_KEY). Changing it makes a new revision.
        type: str
      redis_key_prefix:
        description:
          - Prefix of the deployment's keys and channels. The default is its name with V(:) after it. With another
            prefix, queued wake-ups and open streams under the old one are lost.
          - Sets E(REDIS_KEY_PREFIX). Changing it makes a new revision.
        type: str
      redis_max_connections:
        description:
          - Most connections that a server opens to Redis.
          - Sets E(REDIS_MAX_CONNECTIONS). Changing it makes a new revision.
        type: int
      langgraph_postgres_pool_max_size:
        description:
          - Most connections in a server's pool, at least 5. The default is 20 rather than the server's 150, so that
            many deployments fit on one Postgres. It decides the connection limit of the role too, which is 12 more.
          - Sets E(LANGGRAPH_POSTGRES_POOL_MAX_SIZE). Changing it makes a new revision.
        type: int
      langgraph_postgres_extensions:
        description:
          - V(lite) has the server do without the extensions that a managed Postgres may lack.
          - Sets E(LANGGRAPH_POSTGRES_EXTENSIONS). Changing it makes a new revision.
        type: str
        choices: [standard, lite]
      resumable_stream_ttl_seconds:
        description:
          - Seconds for which a stream can be joined again.
          - Sets E(RESUMABLE_STREAM_TTL_SECONDS). Changing it makes a new revision.
        type: int
      n_jobs_per_worker:
        description:
          - Background runs at the same time. V(0) is for a server that only answers requests.
          - Sets E(N_JOBS_PER_WORKER). Changing it makes a new revision.
        type: int
      bg_job_timeout_secs:
        description:
          - Seconds that a background run may take.
          - Sets E(BG_JOB_TIMEOUT_SECS). Changing it makes a new revision.
        type: int
      bg_job_max_retries:
        description:
          - How often a background run is tried again.
          - Sets E(BG_JOB_MAX_RETRIES). Changing it makes a new revision.
        type: int
      bg_job_shutdown_grace_period_secs:
        description:
          - Seconds, up to 3600, that running background runs have when the server is told to stop. The default is
            180. The unit waits as long.
          - Sets E(BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS). Changing it makes a new revision.
        type: int
      bg_job_isolated_loops:
        description:
          - Whether background runs have event loops of their own. Needed where a graph has synchronous code.
          - Sets E(BG_JOB_ISOLATED_LOOPS). Changing it makes a new revision.
        type: bool
      langgraph_thread_ttl:
        description:
          - When threads are deleted, as the mapping that the server takes as JSON, with the keys C(strategy),
            C(default_ttl) and C(sweep_interval_minutes).
          - Sets E(LANGGRAPH_THREAD_TTL). Changing it makes a new revision.
        type: dict
      ff_crons_enabled:
        description:
          - Whether the server runs crons.
          - Sets E(FF_CRONS_ENABLED). Changing it makes a new revision.
        type: bool
      mount_prefix:
        description:
          - Path under which a proxy serves the API, with a slash before it and none after it, for example
            V(/support). C(/ok) stays at the root.
          - Sets E(MOUNT_PREFIX). Changing it makes a new revision.
        type: str
      cors_allow_origins:
        description:
          - Origins whose pages may call the API.
          - Sets E(CORS_ALLOW_ORIGINS). Changing it makes a new revision.
        type: list
        elements: str
      http_max_request_body_bytes:
        description:
          - Largest request that is accepted.
          - Sets E(HTTP_MAX_REQUEST_BODY_BYTES). Changing it makes a new revision.
        type: int
      log_level:
        description:
          - Least severe messages that are logged.
          - Sets E(LOG_LEVEL). Changing it makes a new revision.
        type: str
        choices: [DEBUG, INFO, WARNING, ERROR]
      log_json:
        description:
          - Whether the log is written as JSON.
          - Sets E(LOG_JSON). Changing it makes a new revision.
        type: bool
"""
