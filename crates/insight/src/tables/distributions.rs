//! Which module comes from which package, which package brings which others along, and which packages nobody
//! imports by name. As of 2026-11.
//!
//! Modules named like their package need no row to be found, but a row says that the package is known: only known
//! modules are ever reported as undeclared.

/// Modules (dotted where the top name is shared) and the packages that provide them, any of which will do.
#[rustfmt::skip]
const MODULES: &[(&str, &str)] = &[
    ("Crypto", "pycryptodome pycrypto"), ("Cryptodome", "pycryptodomex"), ("IPython", "ipython"), ("MetaTrader5", "metatrader5"),
    ("MySQLdb", "mysqlclient mysql-python"), ("OpenSSL", "pyopenssl"), ("PIL", "pillow pillow-simd"), ("PyQt5", "pyqt5"), ("PyQt6", "pyqt6"),
    ("PySide2", "pyside2"), ("PySide6", "pyside6"), ("SmartApi", "smartapi-python"), ("aiofiles", "aiofiles"), ("aiogram", "aiogram"),
    ("aiohttp", "aiohttp"), ("aioredis", "aioredis"), ("aiosqlite", "aiosqlite"), ("alembic", "alembic"), ("alpaca", "alpaca-py"),
    ("alpaca_backtrader_api", "alpaca-backtrader-api"), ("alpaca_trade_api", "alpaca-trade-api"), ("alpha_vantage", "alpha-vantage"),
    ("altair", "altair"), ("anthropic", "anthropic"), ("apscheduler", "apscheduler"), ("arch", "arch"), ("arrow", "arrow"), ("asyncpg", "asyncpg"),
    ("attr", "attrs"), ("attrs", "attrs"), ("autobahn", "autobahn"), ("backoff", "backoff"), ("backtesting", "backtesting"), ("backtrader", "backtrader"),
    ("bcrypt", "bcrypt"), ("beautifultable", "beautifultable"), ("betfairlightweight", "betfairlightweight"), ("bfxapi", "bitfinex-api-py"), ("binance", "python-binance binance-connector binance-sdk-spot python-binance-chain"),
    ("binance.spot", "binance-connector"), ("binance.um_futures", "binance-futures-connector"), ("bitmex", "bitmex"), ("bitmex_websocket", "bitmex-ws"), ("bokeh", "bokeh"),
    ("boto", "boto"), ("boto3", "boto3"), ("botocore", "botocore boto3"), ("bs4", "beautifulsoup4 bs4"), ("bt", "bt"), ("bybit", "bybit"), ("cachetools", "cachetools"),
    ("catboost", "catboost"), ("ccxt", "ccxt ccxtpro"), ("ccxtpro", "ccxtpro ccxt"), ("celery", "celery"), ("certifi", "certifi"), ("chardet", "chardet"), ("click", "click"),
    ("cloudscraper", "cloudscraper"), ("coinbase", "coinbase coinbase-advanced-py"), ("cbpro", "cbpro"), ("coinmarketcap", "coinmarketcap"), ("colorama", "colorama"), ("coloredlogs", "coloredlogs"),
    ("coinmetrics", "coinmetrics-api-client"), ("colorlog", "colorlog"), ("croniter", "croniter"), ("cryptocompare", "cryptocompare"), ("cryptofeed", "cryptofeed"), ("cryptography", "cryptography"),
    ("cv2", "opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless"), ("cvxopt", "cvxopt"), ("cvxpy", "cvxpy"), ("dash", "dash"),
    ("dash_bootstrap_components", "dash-bootstrap-components"), ("dask", "dask"), ("databento", "databento"), ("dateparser", "dateparser"), ("dateutil", "python-dateutil"), ("deap", "deap"),
    ("decouple", "python-decouple"), ("discord", "discord-py py-cord discord nextcord"), ("discord_webhook", "discord-webhook"), ("django", "django"), ("docker", "docker"), ("docopt", "docopt"), ("docx", "python-docx"),
    ("dotenv", "python-dotenv"), ("duckdb", "duckdb"), ("dydx3", "dydx-v3-python"), ("empyrical", "empyrical empyrical-reloaded"), ("environ", "django-environ environ-config"), ("eth_account", "eth-account web3"), ("fake_useragent", "fake-useragent"),
    ("fastapi", "fastapi"), ("fbprophet", "fbprophet"), ("feedparser", "feedparser"), ("ffn", "ffn"), ("filterpy", "filterpy"), ("finnhub", "finnhub-python"), ("finrl", "finrl"), ("finta", "finta"),
    ("finvizfinance", "finvizfinance"), ("finviz", "finviz"), ("flask", "flask"), ("flask_cors", "flask-cors"), ("flask_login", "flask-login"), ("flask_migrate", "flask-migrate"), ("flask_restful", "flask-restful"), ("flask_socketio", "flask-socketio"),
    ("flask_sqlalchemy", "flask-sqlalchemy"), ("flask_wtf", "flask-wtf"), ("fredapi", "fredapi"), ("freezegun", "freezegun"), ("ftx", "ftx"), ("fyers_apiv3", "fyers-apiv3"), ("gate_api", "gate-api"), ("gensim", "gensim"), ("git", "gitpython"), ("github", "pygithub"),
    ("gluonts", "gluonts"), ("google.api_core", "google-api-core google-api-python-client"), ("google.auth", "google-auth google-api-python-client"), ("google.cloud.bigquery", "google-cloud-bigquery"), ("google.cloud.firestore", "google-cloud-firestore firebase-admin"),
    ("google.cloud.pubsub_v1", "google-cloud-pubsub"), ("google.cloud.secretmanager", "google-cloud-secret-manager"), ("google.cloud.storage", "google-cloud-storage"), ("google.generativeai", "google-generativeai"), ("google.oauth2", "google-auth google-api-python-client"),
    ("google.protobuf", "protobuf"), ("google_auth_oauthlib", "google-auth-oauthlib"), ("googleapiclient", "google-api-python-client"), ("gql", "gql"), ("gspread", "gspread"), ("gunicorn", "gunicorn"), ("gym", "gym"), ("gymnasium", "gymnasium"),
    ("h5py", "h5py"), ("hmmlearn", "hmmlearn"), ("html5lib", "html5lib"), ("httpx", "httpx"), ("huobi", "huobi-client"), ("hyperliquid", "hyperliquid-python-sdk"), ("hyperopt", "hyperopt"), ("ib_async", "ib-async"), ("ib_insync", "ib-insync"), ("ibapi", "ibapi"),
    ("iexfinance", "iexfinance"), ("imblearn", "imbalanced-learn"), ("influxdb", "influxdb"), ("influxdb_client", "influxdb-client"), ("investpy", "investpy"), ("jinja2", "jinja2"), ("joblib", "joblib"), ("jose", "python-jose"), ("jsonschema", "jsonschema"), ("jugaad_data", "jugaad-data"),
    ("jwt", "pyjwt"), ("kafka", "kafka-python kafka-python-ng"), ("keras", "keras"), ("kiteconnect", "kiteconnect"), ("kraken", "kraken"), ("krakenex", "krakenex"), ("kucoin", "kucoin-python python-kucoin"), ("kucoin_universal_sdk", "kucoin-universal-sdk"), ("langchain", "langchain"),
    ("lightgbm", "lightgbm"), ("lightweight_charts", "lightweight-charts"), ("logbook", "logbook"), ("loguru", "loguru"), ("lxml", "lxml"), ("markdown", "markdown"), ("marshmallow", "marshmallow"), ("matplotlib", "matplotlib"), ("mpl_finance", "mpl-finance"), ("mplfinance", "mplfinance"),
    ("mlflow", "mlflow"), ("mpl_toolkits", "matplotlib"), ("msgpack", "msgpack"), ("motor", "motor"), ("mysql.connector", "mysql-connector-python mysql-connector"), ("nacl", "pynacl"), ("nautilus_trader", "nautilus-trader"), ("networkx", "networkx"), ("newsapi", "newsapi-python"), ("nltk", "nltk"), ("nsepy", "nsepy"),
    ("nsetools", "nsetools"), ("numba", "numba"), ("numpy", "numpy"), ("oandapyV20", "oandapyv20"), ("okx", "python-okx okx"), ("openai", "openai"), ("openpyxl", "openpyxl"), ("optuna", "optuna"), ("orjson", "orjson"), ("packaging", "packaging"), ("pandas", "pandas"), ("pandas_datareader", "pandas-datareader"), ("pandas_market_calendars", "pandas-market-calendars"),
    ("pandas_ta", "pandas-ta pandas-ta-classic"), ("paramiko", "paramiko"), ("passlib", "passlib"), ("peewee", "peewee"), ("pendulum", "pendulum"), ("pika", "pika"), ("playwright", "playwright"), ("plotly", "plotly"), ("pmdarima", "pmdarima"), ("polars", "polars"), ("polygon", "polygon-api-client"), ("poloniex", "poloniex"),
    ("praw", "praw"), ("prettytable", "prettytable"), ("prometheus_client", "prometheus-client"), ("prophet", "prophet"), ("psutil", "psutil"), ("psycopg", "psycopg"), ("psycopg2", "psycopg2 psycopg2-binary"), ("pushbullet", "pushbullet-py"), ("pushover", "python-pushover"), ("py_clob_client", "py-clob-client"), ("pyaudio", "pyaudio"),
    ("pyalgotrade", "pyalgotrade"), ("pyarrow", "pyarrow"), ("pyautogui", "pyautogui"), ("pybit", "pybit"), ("pycoingecko", "pycoingecko"), ("pydantic", "pydantic"), ("pydantic_settings", "pydantic-settings"), ("pyfolio", "pyfolio pyfolio-reloaded"), ("pygame", "pygame"), ("pykrx", "pykrx"), ("pymongo", "pymongo"), ("pymysql", "pymysql"), ("pynput", "pynput"), ("pypfopt", "pyportfolioopt"),
    ("pyotp", "pyotp"), ("pyqtgraph", "pyqtgraph"), ("pytest", "pytest"), ("pytz", "pytz"), ("pyupbit", "pyupbit"), ("pywt", "pywavelets"), ("quandl", "quandl"), ("nasdaqdatalink", "nasdaq-data-link"), ("quantstats", "quantstats"), ("questionary", "questionary"), ("ratelimit", "ratelimit"), ("ray", "ray"), ("redis", "redis"), ("requests", "requests"),
    ("requests_cache", "requests-cache"), ("requests_html", "requests-html"), ("requests_oauthlib", "requests-oauthlib"), ("rich", "rich"), ("robin_stocks", "robin-stocks"), ("ruamel.yaml", "ruamel-yaml"), ("schedule", "schedule"), ("schwab", "schwab-py"), ("scipy", "scipy"), ("scrapy", "scrapy"), ("seaborn", "seaborn"), ("selenium", "selenium"), ("sentry_sdk", "sentry-sdk"), ("serial", "pyserial"),
    ("shap", "shap"), ("simplejson", "simplejson"), ("six", "six"), ("skimage", "scikit-image"), ("sklearn", "scikit-learn sklearn"), ("skopt", "scikit-optimize"), ("slack", "slackclient"), ("slack_sdk", "slack-sdk"), ("slackclient", "slackclient"), ("socketio", "python-socketio"), ("socks", "pysocks"), ("solana", "solana"), ("solders", "solders"), ("sortedcontainers", "sortedcontainers"),
    ("spacy", "spacy"), ("sqlalchemy", "sqlalchemy"), ("sqlmodel", "sqlmodel"), ("stable_baselines3", "stable-baselines3"), ("starlette", "starlette"), ("statsmodels", "statsmodels"), ("stockstats", "stockstats"), ("streamlit", "streamlit"), ("structlog", "structlog"), ("ta", "ta"), ("tables", "tables"), ("tabulate", "tabulate"), ("talib", "ta-lib ta-lib-bin talib-binary ta-lib-binary"), ("tardis_client", "tardis-client"),
    ("tda", "tda-api"), ("telebot", "pytelegrambotapi"), ("telegram", "python-telegram-bot"), ("telethon", "telethon"), ("tenacity", "tenacity"), ("tensorboard", "tensorboard tensorflow"), ("tensorboardX", "tensorboardx"), ("tensorflow", "tensorflow tensorflow-cpu tensorflow-gpu tensorflow-macos"), ("termcolor", "termcolor"), ("textblob", "textblob"), ("tiingo", "tiingo"), ("toml", "toml"), ("tomli", "tomli"), ("tomlkit", "tomlkit"), ("torch", "torch"),
    ("torchvision", "torchvision"), ("tornado", "tornado"), ("tqdm", "tqdm"), ("tradingview_ta", "tradingview-ta"), ("transformers", "transformers"), ("tulipy", "tulipy"), ("tweepy", "tweepy"), ("twelvedata", "twelvedata"), ("twilio", "twilio"), ("twisted", "twisted"), ("typer", "typer"), ("typing_extensions", "typing-extensions"), ("tzlocal", "tzlocal"), ("ujson", "ujson"), ("unicorn_binance_websocket_api", "unicorn-binance-websocket-api"),
    ("unicorn_binance_rest_api", "unicorn-binance-rest-api"), ("upstox_client", "upstox-python-sdk"), ("urllib3", "urllib3"), ("uvicorn", "uvicorn"), ("uvloop", "uvloop"), ("vaderSentiment", "vadersentiment"), ("vectorbt", "vectorbt"), ("wandb", "wandb"), ("watchdog", "watchdog"), ("web3", "web3"), ("webull", "webull"), ("websocket", "websocket-client"), ("websockets", "websockets"), ("werkzeug", "werkzeug"), ("wordcloud", "wordcloud"),
    ("xgboost", "xgboost"), ("xlrd", "xlrd"), ("xlsxwriter", "xlsxwriter"), ("xlwings", "xlwings"), ("yahoo_fin", "yahoo-fin"), ("yahooquery", "yahooquery"), ("yaml", "pyyaml"), ("yfinance", "yfinance"), ("zipline", "zipline zipline-reloaded"), ("zmq", "pyzmq"), ("pkg_resources", "setuptools"), ("setuptools", "setuptools"), ("mock", "mock"), ("responses", "responses"), ("vcr", "vcrpy"),
    ("elasticsearch", "elasticsearch"), ("newspaper", "newspaper3k"), ("tinydb", "tinydb"), ("pyti", "pyti"), ("newtulipy", "newtulipy"), ("structlog", "structlog"), ("webcolors", "webcolors"), ("blessed", "blessed"), ("npyscreen", "npyscreen"), ("gtts", "gtts"), ("pyttsx3", "pyttsx3"), ("umap", "umap-learn"), ("tsfresh", "tsfresh"), ("darts", "darts u8darts"), ("sktime", "sktime"), ("kats", "kats"), ("pytorch_lightning", "pytorch-lightning lightning"),
];

/// Packages and those that they bring along.
#[rustfmt::skip]
const BRINGS: &[(&str, &str)] = &[
    ("hyperliquid-python-sdk", "eth-account eth-utils msgpack requests websocket-client"),
    ("aiohttp", "multidict yarl attrs aiosignal frozenlist async-timeout"),
    ("alpaca-py", "pandas numpy requests pydantic websockets msgpack sseclient-py pytz"),
    ("alpaca-trade-api", "pandas numpy requests urllib3 websocket-client websockets msgpack aiohttp pyyaml deprecation"),
    ("apscheduler", "pytz tzlocal six"), ("arch", "numpy scipy pandas statsmodels"), ("backtesting", "numpy pandas bokeh"),
    ("beautifulsoup4", "soupsieve"), ("binance-connector", "requests pycryptodome websocket-client"), ("boto3", "botocore jmespath s3transfer python-dateutil urllib3"),
    ("catboost", "numpy pandas scipy matplotlib plotly graphviz six"), ("ccxt", "requests cryptography aiohttp yarl certifi setuptools aiodns typing-extensions"),
    ("celery", "kombu billiard vine click"), ("cvxpy", "numpy scipy"), ("darts", "numpy pandas scipy scikit-learn matplotlib statsmodels torch xarray joblib tqdm requests"),
    ("dash", "flask plotly werkzeug dash-core-components dash-html-components dash-table requests"), ("discord-py", "aiohttp"), ("empyrical", "numpy pandas scipy pandas-datareader"),
    ("exchange-calendars", "pandas numpy toolz tzdata"), ("fastapi", "starlette pydantic typing-extensions"), ("fastapi[standard]", "httpx jinja2 python-multipart email-validator uvicorn uvicorn[standard]"), ("finrl", "numpy pandas matplotlib stable-baselines3 gym gymnasium yfinance ccxt alpaca-trade-api"),
    ("flask", "werkzeug jinja2 click itsdangerous markupsafe blinker"), ("flask-sqlalchemy", "flask sqlalchemy"), ("google-api-python-client", "google-auth google-api-core httplib2 uritemplate google-auth-httplib2"),
    ("gspread", "google-auth google-auth-oauthlib"), ("gym", "numpy cloudpickle"), ("gymnasium", "numpy cloudpickle typing-extensions"), ("httpx", "httpcore anyio certifi idna sniffio h11"), ("hyperopt", "numpy scipy networkx tqdm cloudpickle"),
    ("ib-insync", "eventkit nest-asyncio numpy"), ("imbalanced-learn", "numpy scipy scikit-learn joblib"), ("ipython", "traitlets pygments prompt-toolkit matplotlib-inline"), ("jupyter", "ipython notebook nbconvert ipykernel ipywidgets"), ("keras", "numpy h5py"), ("lightgbm", "numpy scipy scikit-learn"), ("logbook", ""),
    ("matplotlib", "numpy pillow python-dateutil pyparsing packaging cycler kiwisolver fonttools contourpy six"), ("mplfinance", "matplotlib pandas numpy"), ("nautilus-trader", "numpy pandas pyarrow msgspec tqdm uvloop click fsspec pytz portion toml"), ("nltk", "click joblib regex tqdm"), ("numba", "numpy llvmlite"),
    ("openai", "httpx pydantic anyio tqdm typing-extensions requests"), ("optuna", "numpy sqlalchemy alembic tqdm colorlog pyyaml packaging"), ("pandas", "numpy python-dateutil pytz tzdata six"), ("pandas-datareader", "pandas lxml requests numpy"), ("pandas-ta", "pandas numpy"), ("plotly", "tenacity packaging narwhals"), ("pmdarima", "numpy scipy scikit-learn pandas statsmodels joblib cython urllib3 setuptools"),
    ("praw", "prawcore websocket-client"), ("prophet", "numpy pandas matplotlib cmdstanpy holidays tqdm"), ("pybit", "requests websocket-client pycryptodome"), ("pycoingecko", "requests"), ("pydantic", "typing-extensions annotated-types pydantic-core"), ("pydantic-settings", "pydantic python-dotenv"), ("pyfolio", "numpy pandas scipy matplotlib seaborn scikit-learn pytz empyrical ipython"), ("pymongo", "dnspython"), ("pyopenssl", "cryptography"), ("pyportfolioopt", "numpy pandas scipy cvxpy"),
    ("pytest", "pluggy iniconfig packaging"), ("python-binance", "requests aiohttp websockets dateparser six ujson pycryptodome cryptography ed25519"), ("python-telegram-bot", "httpx tornado apscheduler certifi pytz urllib3 cachetools cryptography"), ("quantstats", "pandas numpy seaborn matplotlib tabulate yfinance scipy python-dateutil"), ("requests", "urllib3 certifi idna charset-normalizer chardet"), ("requests-cache", "requests attrs cattrs platformdirs url-normalize urllib3"), ("scikit-learn", "numpy scipy joblib threadpoolctl"), ("scipy", "numpy"), ("seaborn", "numpy pandas matplotlib scipy"),
    ("selenium", "urllib3 trio trio-websocket certifi typing-extensions websocket-client"), ("shap", "numpy scipy scikit-learn pandas tqdm numba cloudpickle packaging"), ("sqlalchemy", "greenlet typing-extensions"), ("stable-baselines3", "gym gymnasium numpy torch cloudpickle pandas matplotlib"), ("statsmodels", "numpy scipy pandas patsy packaging"), ("stockstats", "numpy pandas"), ("streamlit", "pandas numpy altair pillow protobuf pyarrow requests toml tornado click rich packaging tenacity gitpython"), ("ta", "numpy pandas"), ("ta-lib", "numpy"),
    ("tensorflow", "numpy keras protobuf h5py tensorboard six absl-py grpcio termcolor typing-extensions wrapt requests packaging"), ("torch", "numpy typing-extensions networkx jinja2 sympy fsspec filelock"), ("torchvision", "torch numpy pillow"), ("transformers", "numpy huggingface-hub requests tokenizers pyyaml tqdm regex packaging filelock safetensors"), ("tweepy", "requests requests-oauthlib oauthlib"), ("twilio", "requests pyjwt aiohttp pytz"), ("uvicorn", "click h11"), ("vectorbt", "numpy pandas scipy matplotlib plotly ipywidgets numba dill tqdm dateparser imageio scikit-learn schedule requests pytz typing-extensions mypy-extensions"),
    ("pandas-market-calendars", "pandas exchange-calendars tzdata"), ("uvicorn[standard]", "python-dotenv pyyaml httptools uvloop watchfiles websockets"),
    ("alpha-vantage", "requests aiohttp"), ("anthropic", "httpx pydantic anyio typing-extensions"), ("binance-futures-connector", "requests pycryptodome websocket-client"), ("bt", "ffn pyprind numpy pandas"), ("ffn", "numpy pandas pandas-datareader matplotlib scikit-learn tabulate yfinance scipy decorator"),
    ("finnhub-python", "requests"), ("fredapi", "pandas"), ("groq", "httpx pydantic anyio typing-extensions"), ("kiteconnect", "requests six pyopenssl python-dateutil autobahn twisted"), ("krakenex", "requests"), ("nasdaq-data-link", "pandas numpy requests python-dateutil six more-itertools inflection"),
    ("newsapi-python", "requests"), ("oandapyv20", "requests"), ("polygon-api-client", "urllib3 certifi websockets"), ("pytelegrambotapi", "requests"), ("quandl", "pandas numpy requests python-dateutil six more-itertools inflection"), ("robin-stocks", "requests pyotp python-dotenv cryptography"), ("tda-api", "httpx authlib websockets python-dateutil autopep8"),
    ("tiingo", "requests websocket-client"), ("trading-ig", "requests munch lightstreamer-client-lib tenacity"), ("vadersentiment", "requests"), ("discord-webhook", "requests"), ("wandb", "requests click pyyaml protobuf psutil sentry-sdk setproctitle"), ("mlflow", "requests click pyyaml pandas numpy scipy scikit-learn matplotlib sqlalchemy flask jinja2"),
    ("web3", "eth-account eth-utils eth-abi hexbytes aiohttp websockets requests pydantic typing-extensions"), ("xgboost", "numpy scipy"), ("yahooquery", "pandas requests tqdm lxml"), ("yfinance", "pandas numpy requests lxml multitasking appdirs platformdirs pytz frozendict peewee beautifulsoup4 html5lib curl-cffi protobuf websockets"), ("zipline-reloaded", "numpy pandas scipy statsmodels empyrical-reloaded exchange-calendars sqlalchemy alembic bcolz-zipline click logbook six toolz tables networkx pytz"), ("pytorch-lightning", "torch numpy tqdm pyyaml fsspec packaging typing-extensions torchmetrics"),
];

/// Packages that bring nothing of [`COMMON`] along, beside those of [`BRINGS`] and the tools.
#[rustfmt::skip]
const ALONE: &[&str] = &[
    "aiofiles", "aiohttp", "aiosqlite", "attrs", "backoff", "backtrader", "bcrypt", "cachetools", "certifi", "chardet", "click", "colorama", "colorlog", "croniter", "cryptography", "cvxopt", "deepdiff", "diskcache", "django", "duckdb",
    "ecdsa", "et-xmlfile", "filelock", "flask-cors", "flask-limiter", "flask-login", "flask-socketio", "freezegun", "frozendict", "holidays", "humanize", "jsonschema", "lightweight-charts", "loguru", "lz4", "markdown", "metatrader5", "more-itertools",
    "multidict", "mypy-extensions", "mysql-connector-python", "netifaces", "networkx", "numpy", "orjson", "passlib", "peewee", "pluggy", "polars", "portalocker", "prettytable", "prometheus-client", "psutil", "pycryptodome", "pycryptodomex", "pygame", "pyjwt",
    "pynacl", "pyotp", "pyqtgraph", "pyserial", "python-dateutil", "python-decouple", "python-dotenv", "python-jose", "python-json-logger", "python-socketio", "pytz", "pywavelets", "pyyaml", "pyzmq", "ratelimit", "redis", "regex", "requests", "responses",
    "rich", "schedule", "setproctitle", "simplejson", "six", "sortedcontainers", "structlog", "tabulate", "tenacity", "termcolor", "toml", "tomli", "tomlkit", "toolz", "tornado", "tqdm", "typer", "typing-extensions", "tzlocal", "urllib3", "watchdog",
    "websocket-client", "websockets", "xxhash", "zstandard", "typing-inspection", "annotated-types", "pydantic", "jinja2", "werkzeug", "markupsafe", "lxml", "pillow", "pyparsing", "pip", "packaging",
];

/// Packages that come along with very many others.
#[rustfmt::skip]
const COMMON: &[&str] = &[
    "aiohttp", "beautifulsoup4", "certifi", "click", "cryptography", "httpx", "jinja2", "joblib", "lxml", "matplotlib", "numpy", "packaging", "pandas", "pillow", "pydantic", "python-dateutil", "pytz", "pyyaml", "requests", "scikit-learn", "scipy",
    "setuptools", "six", "tabulate", "tqdm", "typing-extensions", "urllib3", "websocket-client", "websockets", "werkzeug",
];

/// Packages that are used without being imported: programs, plugins, stubs, things that another package loads
/// when they are there.
#[rustfmt::skip]
const TOOLS: &[&str] = &[
    "aiodns", "alembic", "argon2-cffi", "asgiref", "autopep8", "awscli", "bandit", "black", "bottleneck", "brotli", "brotlipy", "build", "bumpversion", "cchardet", "certifi", "cffi", "charset-normalizer", "colorama", "coverage", "cython", "dnspython",
    "email-validator", "eventlet", "fastparquet", "flake8", "flower", "fsspec", "gevent", "greenlet", "gunicorn", "h2", "h5py", "hiredis", "honcho", "html5lib", "httptools", "hypercorn", "idna", "invoke", "ipykernel", "ipython", "ipywidgets", "isort", "itsdangerous",
    "jinja2", "jupyter", "jupyterlab", "kaleido", "lxml", "markupsafe", "mkdocs", "mypy", "mysqlclient", "nbconvert", "nbformat", "ninja", "nodeenv", "nose", "notebook", "nox", "numexpr", "odfpy", "openpyxl", "pip", "pip-tools", "pipenv", "poetry", "pre-commit", "prospector", "protobuf", "psycopg2", "psycopg2-binary",
    "psycopg-binary", "pyarrow", "pycodestyle", "pydocstyle", "pyflakes", "pyinstaller", "pylint", "pymysql", "pyright", "pysocks", "pytest", "python-multipart", "pytz", "pyupgrade", "pywin32", "pyyaml-env-tag", "requests-toolbelt", "rope", "ruff", "safety", "sentry-sdk", "setuptools", "setuptools-scm", "supervisor", "tables", "tabulate", "tox", "twine", "typing-extensions", "tzdata",
    "ujson", "urllib3", "uvicorn", "uvloop", "versioneer", "virtualenv", "watchdog", "watchfiles", "websocket-client", "wheel", "whitenoise", "wsproto", "xlrd", "xlsxwriter", "xlwt", "yapf", "zipp", "zope-interface", "cryptography", "pyopenssl", "ndg-httpsclient", "pyasn1", "tensorboard", "graphviz", "pydot", "cmdstanpy", "pystan", "pyqt5", "pyqt6", "multitasking", "simplejson",
    "python-dateutil", "six", "maturin", "hatchling", "flit-core", "poetry-core", "psycopg", "asyncpg", "aiosqlite", "redis", "numba", "importlib-metadata", "backports-zoneinfo", "dataclasses", "contextvars", "pathlib", "configparser", "argparse", "typing", "enum34", "futures", "uv", "debugpy", "snakeviz", "memory-profiler", "line-profiler", "py-spy", "commitizen", "interrogate", "pdoc", "jupytext", "nbstripout", "papermill", "voila",
];
/// Beginnings and ends of names of such packages.
const TOOL_PARTS: (&[&str], &[&str]) = (
    &[
        "pytest-",
        "flake8-",
        "types-",
        "sphinx",
        "mkdocs-",
        "mypy-",
        "pylint-",
        "jupyter-",
        "jupyterlab-",
        "opentelemetry-",
        "nvidia-",
        "pyobjc",
        "backports-",
        "django-",
        "tensorflow-",
        "dash-",
        "pyqt5-",
        "pyqt6-",
    ],
    &["-stubs", "-types", "-plugin", "-sqlalchemy"],
);

/// Returns the packages that provide a dotted module, any of which will do; `None` where it is not known.
pub fn packages_of(module: &str) -> Option<Vec<&'static str>> {
    let mut best: Option<(&str, &str)> = None;
    for (known, packages) in MODULES {
        let fits = module
            .strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if fits && best.is_none_or(|(other, _)| known.len() > other.len()) {
            best = Some((known, packages));
        }
    }
    best.map(|(_, packages)| packages.split(' ').collect())
}

/// Returns the modules that a package provides, where known: the rows that name it.
pub fn modules_of(package: &str) -> Vec<&'static str> {
    MODULES
        .iter()
        .filter(|(_, packages)| packages.split(' ').any(|known| known == package))
        .map(|(module, _)| *module)
        .collect()
}

/// Says whether one package brings another along, directly or through a third.
pub fn brings(package: &str, other: &str) -> bool {
    fn look(package: &str, other: &str, depth: u8) -> bool {
        let brought = BRINGS
            .iter()
            .find(|(known, _)| *known == package)
            .map_or("", |(_, brought)| brought);
        brought
            .split(' ')
            .any(|name| name == other || (depth > 0 && look(name, other, depth - 1)))
    }
    // Every client of that cloud stands on the same few packages.
    let is_google = package.starts_with("google-cloud-")
        && matches!(
            other,
            "google-api-core" | "google-auth" | "protobuf" | "grpcio"
        );
    is_google || look(package, other, 3)
}

/// Says whether a package comes along with very many others.
pub fn is_common(package: &str) -> bool {
    COMMON.contains(&package)
}

/// Says whether the tables here say what a package brings along.
pub fn is_described(package: &str) -> bool {
    ALONE.contains(&package)
        || is_tool(package)
        || BRINGS.iter().any(|(known, _)| *known == package)
}

/// Says whether a package is used without being imported.
pub fn is_tool(package: &str) -> bool {
    let (beginnings, ends) = TOOL_PARTS;
    TOOLS.contains(&package)
        || beginnings.iter().any(|part| package.starts_with(part))
        || ends.iter().any(|part| package.ends_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_packages_know_each_other() {
        assert_eq!(
            packages_of("sklearn.linear_model"),
            Some(vec!["scikit-learn", "sklearn"])
        );
        assert_eq!(
            packages_of("google.cloud.storage"),
            Some(vec!["google-cloud-storage"])
        );
        assert_eq!(packages_of("google.unknown"), None);
        assert_eq!(packages_of("taxes"), None);
        assert!(modules_of("python-binance").contains(&"binance"));
        assert!(
            brings("yfinance", "six")
                && brings("scikit-learn", "numpy")
                && brings("google-cloud-pubsub", "google-api-core")
                && !brings("requests", "pandas")
        );
        assert!(is_tool("pytest-cov") && is_tool("pandas-stubs") && !is_tool("pandas"));
        assert!(MODULES.len() > 300);
    }
}
