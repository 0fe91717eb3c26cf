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
        left out too and the server's own default applies, unless a default is given here.
      - Declared to Ansible without suboptions, so that this check reports every mistake of the list at once, with its own
        messages.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the deployment. C(a-z), C(0-9) and hyphens inside, beginning with a letter, at most 63 characters.
          - It names the Redis user, the Postgres database and role (with V(_) for V(-)), the unit
            C(langgraph@NAME.N.service) and the container C(langgraph-NAME.N) of its revision N.
          - It is the deployment's identity. Another name is another, empty deployment; the previous one continues to run until it
            is listed with O(deployments[].state=stopped).
        type: str
        required: true
      image:
        description:
          - Image of the server, V(NAME:TAG) or V(NAME@DIGEST). Required with O(deployments[].state=present).
          - Another image creates a new revision. The server's migrations of its database only go forward.
        type: str
      build:
        description:
          - Directory of the application on the control node, with its C(langgraph.json), from which O(deployments[].image) is built
            by C(langgraph build) and copied to the host, or pushed if its name has a registry. A relative path is searched next to
            the inventory and in the current directory.
          - Short for an entry of C(image_builds) of P(selfhost.langgraph.image#role) with the same image, which can set more.
            Deployments with the same image may have the same directory.
          - A changed file of the directory builds the image again and creates a new revision.
        type: str
      port:
        description:
          - Port of the host on which the server answers, from 1 to 65535. Required with
            O(deployments[].state=present).
          - Deployments may share a port if each has O(deployments[].hostname) or O(deployments[].mount_prefix).
          - Changing it changes only the proxy. Without the proxy it restarts the container.
        type: int
      bind_address:
        description:
          - Address of the host on which the server answers. The default is O(bind_address).
          - Changing it changes only the proxy. Without the proxy it restarts the container.
        type: str
      hostname:
        description:
          - Host name in the clients' requests, by which the proxy distinguishes deployments on the same port.
          - Requests for another name get 404. Changing it changes only the proxy.
        type: str
      tls:
        description:
          - Whether the proxy uses TLS on the port, with the certificates of P(selfhost.langgraph.proxy#role).
          - Changing it changes only the proxy.
        type: bool
        default: false
      may_reach:
        description:
          - Names of other deployments on the same host whose public port the containers of this one may reach, at the gateway of
            the deployments' network (V(172.29.0.1) by default) or at any other address of the host on which they answer.
          - Without it none of them can be reached. Deployments that share a port can only be reached together.
          - A deployment named here needs a O(deployments[].bind_address) that is not the loopback. Its API requires no login by
            default.
          - A change takes effect at once and restarts no container.
        type: list
        elements: str
        default: []
      state:
        description:
          - With V(present) the deployment runs.
          - With V(stopped) its containers are stopped; background runs get their grace period and open streams are cut. Its
            revisions, its databases and its claims stay, and V(present) starts it again. Only O(deployments[].name) is required
            then. The playbook C(selfhost.langgraph.remove) deletes a deployment with its data.
        type: str
        choices: [present, stopped]
        default: present
      edition:
        description:
          - Which licence the server needs, if that cannot be determined from the credentials.
          - V(lite) takes only O(deployments[].langsmith_api_key). V(enterprise) takes
            O(deployments[].langgraph_cloud_license_key) and also allows a LangSmith key for tracing. V(none) is for images that
            check no licence.
          - Only this check uses it. Changing it does not affect the container.
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
          - Redis channels are not separated by database number, so patterns that overlap with those of another deployment of the
            same server are refused.
          - Changing it changes the user's rights at once, without a restart.
        type: list
        elements: str
      redis_shared_channels:
        description:
          - Whether its channels may overlap with those of other deployments that have this set too. It is for servers with
            fixed channels. Each of these deployments can then read and forge the events of the others.
          - It is kept as a right of the deployment's Redis user, so that it counts for deployments that another play has listed.
        type: bool
        default: false
      redis_password:
        description:
          - Password of the deployment's Redis user. The default is derived from O(secret_key).
          - Changing it sets the password and creates a new revision.
        type: str
      postgres_password:
        description:
          - Password of the deployment's Postgres role. The default is derived from O(secret_key).
          - Changing it sets the password and creates a new revision.
        type: str
      password_generation:
        description:
          - Generation of the derived passwords, from 1 on. A higher number derives two new passwords and creates a new revision of
            the same content. The previous passwords are revoked once no revision on any host uses them.
        type: int
        default: 1
      accept_new_aes_key:
        description:
          - Whether O(deployments[].langgraph_aes_key) may differ from the previous key. The deployment can then no longer read
            the data encrypted with the previous key.
        type: bool
        default: false
      extensions:
        description:
          - Postgres extensions to create in the deployment's database, for example V(vector) for an indexed store.
          - An added extension is created at once, without a restart. An extension that is removed from the list is not dropped.
        type: list
        elements: str
        default: []
      memory:
        description:
          - Maximum memory of the container, in the engine's notation, for example V(2g). At least V(6m).
          - Changing it creates a new revision.
        type: str
      cpus:
        description:
          - Maximum number of CPUs of the container, for example V(1.5).
          - Changing it creates a new revision.
        type: float
      user:
        description:
          - User in the container, V(UID) or V(UID:GID). The default is that of the image.
          - Changing it creates a new revision.
        type: str
      read_only:
        description:
          - Whether the container's file system is read-only, except for C(/tmp).
          - Changing it creates a new revision.
        type: bool
        default: false
      env:
        description:
          - More variables for the application, by name. Values are strings, numbers or booleans, without line breaks.
          - Variables that have an option here, and those that the collection computes, such as E(REDIS_URI), are
            refused.
          - Changing it creates a new revision.
        type: dict
        default: {}
      env_file:
        description:
          - A C(.env) file on the control node with variables of the server and of the application; it may be
            encrypted with Ansible Vault. A relative path is searched next to the inventory, in the current directory and in
            Ansible's search path for files.
          - Options set here, and O(deployments[].env), take precedence over it. P(selfhost.langgraph.connections_needed#filter)
            does not see a pool size in it.
          - It is read in each run. Changing its content creates a new revision.
        type: str
      langsmith_api_key:
        description:
          - API key of LangSmith. It licenses the Lite edition and sends traces.
          - Sets E(LANGSMITH_API_KEY). Changing it creates a new revision.
        type: str
      langgraph_cloud_license_key:
        description:
          - Licence key of the Enterprise edition.
          - Sets E(LANGGRAPH_CLOUD_LICENSE_KEY). Changing it creates a new revision.
        type: str
      langchain_endpoint:
        description:
          - URL of a self-hosted LangSmith. For the licence check it takes precedence over O(deployments[].langsmith_endpoint).
          - Sets E(LANGCHAIN_ENDPOINT). Changing it creates a new revision.
        type: str
      langsmith_endpoint:
        description:
          - URL of LangSmith, if it is not the vendor's own in the US.
          - Sets E(LANGSMITH_ENDPOINT). Changing it creates a new revision.
        type: str
      langsmith_runs_endpoints:
        description:
          - Several LangSmith servers to send traces to, as a mapping of URL to API key. The SDK refuses it together
            with one of the two endpoints.
          - Sets E(LANGSMITH_RUNS_ENDPOINTS). Changing it creates a new revision.
        type: dict
      langsmith_tracing:
        description:
          - Whether traces are sent. The server's default is to send them if there is an API key.
          - Sets E(LANGSMITH_TRACING). Changing it creates a new revision.
        type: bool
      langsmith_auth_endpoint:
        description:
          - URL of the LangSmith that authenticates requests. Required with
            O(deployments[].langgraph_auth_type=langsmith).
          - Sets E(LANGSMITH_AUTH_ENDPOINT). Changing it creates a new revision.
        type: str
      langsmith_tenant_id:
        description:
          - Tenant whose members may use the server. Required with O(deployments[].langgraph_auth_type=langsmith).
          - Sets E(LANGSMITH_TENANT_ID). Changing it creates a new revision.
        type: str
      langgraph_auth_type:
        description:
          - Who may use the server's API. V(noop) allows anybody who can reach it.
          - Sets E(LANGGRAPH_AUTH_TYPE). Changing it creates a new revision.
        type: str
        choices: [noop, langsmith]
      langgraph_aes_key:
        description:
          - Key of 16, 24 or 32 bytes that encrypts checkpoints. With another key, or without one, data encrypted before can no
            longer be read.
          - There is one key at a time, and only it can decrypt its data. So another key, or none, is refused if a revision with this
            key serves on the host, or if Postgres remembers it with the database, unless O(deployments[].accept_new_aes_key) is
            set. A first key is accepted.
          - Sets E(LANGGRAPH_AES_KEY). Changing it creates a new revision.
        type: str
      redis_key_prefix:
        description:
          - Prefix of the deployment's keys and channels. The default is its name followed by V(:). With another prefix, queued
            wake-ups and open streams under the old one are lost.
          - Sets E(REDIS_KEY_PREFIX). Changing it creates a new revision.
        type: str
      redis_max_connections:
        description:
          - Maximum number of connections that a server opens to Redis.
          - Sets E(REDIS_MAX_CONNECTIONS). Changing it creates a new revision.
        type: int
      langgraph_postgres_pool_max_size:
        description:
          - Maximum number of connections in a server's pool, at least 5. The default is 20 rather than the server's 150, so that
            many deployments fit on one Postgres. The connection limit of the role is 12 more than that.
          - Sets E(LANGGRAPH_POSTGRES_POOL_MAX_SIZE). Changing it creates a new revision.
        type: int
      langgraph_postgres_extensions:
        description:
          - With V(lite) the server does not use the extensions that a managed Postgres may lack.
          - Sets E(LANGGRAPH_POSTGRES_EXTENSIONS). Changing it creates a new revision.
        type: str
        choices: [standard, lite]
      resumable_stream_ttl_seconds:
        description:
          - Seconds for which a stream can be joined again.
          - Sets E(RESUMABLE_STREAM_TTL_SECONDS). Changing it creates a new revision.
        type: int
      n_jobs_per_worker:
        description:
          - Number of concurrent background runs. V(0) is for a server that only answers requests.
          - Sets E(N_JOBS_PER_WORKER). Changing it creates a new revision.
        type: int
      bg_job_timeout_secs:
        description:
          - Seconds that a background run may take.
          - Sets E(BG_JOB_TIMEOUT_SECS). Changing it creates a new revision.
        type: int
      bg_job_max_retries:
        description:
          - How often a background run is tried again.
          - Sets E(BG_JOB_MAX_RETRIES). Changing it creates a new revision.
        type: int
      bg_job_shutdown_grace_period_secs:
        description:
          - Seconds, up to 3600, that background runs may still take when the server is stopped. The default is 180. The unit
            waits for the same time.
          - Sets E(BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS). Changing it creates a new revision.
        type: int
      bg_job_isolated_loops:
        description:
          - Whether background runs have their own event loops. Needed if a graph has synchronous code.
          - Sets E(BG_JOB_ISOLATED_LOOPS). Changing it creates a new revision.
        type: bool
      langgraph_thread_ttl:
        description:
          - When threads are deleted, as a mapping with the keys C(strategy), C(default_ttl) and C(sweep_interval_minutes). The
            server takes it as JSON.
          - Sets E(LANGGRAPH_THREAD_TTL). Changing it creates a new revision.
        type: dict
      ff_crons_enabled:
        description:
          - Whether the server runs crons.
          - Sets E(FF_CRONS_ENABLED). Changing it creates a new revision.
        type: bool
      mount_prefix:
        description:
          - Path under which a proxy serves the API, with a slash before it and none after it, for example
            V(/support). C(/ok) stays at the root.
          - Sets E(MOUNT_PREFIX). Changing it creates a new revision.
        type: str
      cors_allow_origins:
        description:
          - Origins whose pages may call the API.
          - Sets E(CORS_ALLOW_ORIGINS). Changing it creates a new revision.
        type: list
        elements: str
      http_max_request_body_bytes:
        description:
          - Largest request that is accepted.
          - Sets E(HTTP_MAX_REQUEST_BODY_BYTES). Changing it creates a new revision.
        type: int
      log_level:
        description:
          - Least severe messages that are logged.
          - Sets E(LOG_LEVEL). Changing it creates a new revision.
        type: str
        choices: [DEBUG, INFO, WARNING, ERROR]
      log_json:
        description:
          - Whether the log is written as JSON.
          - Sets E(LOG_JSON). Changing it creates a new revision.
        type: bool
"""
