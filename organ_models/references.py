"""The papers that models and parameters refer to."""

from organ_models.model import Reference

REGAZZONI_2022 = Reference(
    "regazzoni_2022",
    "Regazzoni F, Salvador M, Africa PC, Fedele M, Dedè L, Quarteroni A. A cardiac electromechanical model "
    "coupled with a lumped-parameter model for closed-loop blood circulation. J Comput Phys 2022;457:111083.",
    "10.1016/j.jcp.2022.111083",
)
URSINO_1998 = Reference(
    "ursino_1998",
    "Ursino M. Interaction between carotid baroregulation and the pulsating heart: a mathematical model. "
    "Am J Physiol 1998;275:H1733-H1747.",
    "10.1152/ajpheart.1998.275.5.H1733",
)
C12_CALIBRATION = Reference(
    "c12_healthy_baseline",
    "Healthy-adult baseline of the 12-state closed loop, calibrated for this project to 14 haemodynamic "
    "targets of a young to middle-aged man at rest.",
)
C12_TABLES = Reference(
    "c12_tables",
    "Limit cycles of the 12-state closed loop at its healthy baseline and in scenarios, computed for this "
    "project by an implementation of its own (LSODA at 1e-10; Runge–Kutta at 2000 steps a beat).",
)
MATTACE_RASO_2010 = Reference(
    "mattace_raso_2010",
    "The Reference Values for Arterial Stiffness' Collaboration (Mattace-Raso FU et al). Determinants of "
    "pulse wave velocity in healthy people and in the presence of cardiovascular risk factors. Eur Heart J "
    "2010;31:2338-2350.",
    "10.1093/eurheartj/ehq165",
)
HANSSON_2013 = Reference(
    "hansson_2013",
    "Hansson EK, Amantea MA, Westwood P, et al. PKPD modeling of VEGF, sVEGFR-2, sVEGFR-3, and sKIT as "
    "predictors of tumor dynamics and overall survival following sunitinib treatment in GIST. "
    "CPT Pharmacometrics Syst Pharmacol 2013;2:e84.",
    "10.1038/psp.2013.61",
)
HANSSON_2013_ADVERSE = Reference(
    "hansson_2013_adverse",
    "Hansson EK, Ma G, Amantea MA, et al. PKPD modeling of predictors for adverse effects and overall "
    "survival in sunitinib-treated patients with GIST. CPT Pharmacometrics Syst Pharmacol 2013;2:e85.",
    "10.1038/psp.2013.62",
)
HANSSON_REGRESSION = Reference(
    "hansson_2013_regression",
    "Regression values of the equations of Hansson et al. 2013 for the typical patient, computed for this "
    "project by an implementation of its own.",
)
YU_2015 = Reference(
    "yu_2015",
    "Yu H, Steeghs N, Kloth JSL, et al. Integrated semi-physiological pharmacokinetic model for both "
    "sunitinib and its active metabolite SU12662. Br J Clin Pharmacol 2015;79:809-819.",
    "10.1111/bcp.12550",
)
HYPOTHETICAL = Reference(
    "hypothetical",
    "Hypothetical drug, not a product: an example of how a direct effect on resistance is composed.",
)
GORLIN_1951 = Reference(
    "gorlin_1951",
    "Gorlin R, Gorlin SG. Hydraulic formula for calculation of the area of the stenotic mitral valve, other "
    "cardiac valves, and central circulatory shunts. Am Heart J 1951;41:1-29.",
    "10.1016/0002-8703(51)90002-6",
)
SMITH_2004 = Reference(
    "smith_2004",
    "Smith BW, Chase JG, Nokes RI, Shaw GM, Wake G. Minimal haemodynamic system model including ventricular "
    "interaction and valve dynamics. Med Eng Phys 2004;26:131-139.",
    "10.1016/j.medengphy.2003.10.001",
)
LAW_2003 = Reference(
    "law_2003",
    "Law MR, Wald NJ, Morris JK, Jordan RE. Value of low dose combination treatment with blood pressure "
    "lowering drugs: analysis of 354 randomised trials. BMJ 2003;326:1427-1434.",
    "10.1136/bmj.326.7404.1427",
)
HAEMODYNAMIC_SIGNATURES_2013 = Reference(
    "haemodynamic_signatures_2013",
    "Haemodynamic effects of antihypertensive drug classes, review of 75 studies with 1522 subjects. "
    "ISRN 2013;2013:780702.",
)
LUND_JOHANSEN_1990 = Reference(
    "lund_johansen_1990",
    "Lund-Johansen P. Haemodynamic long-term studies of antihypertensive drugs, reviews of 1986 and 1990: "
    "thiazides and calcium antagonists lower resistance, beta-blockers heart rate and cardiac output.",
)
ANTIHYPERTENSIVE_CALIBRATION = Reference(
    "antihypertensive_calibration",
    "Calibration of this project: mean changes of the standard dose (Law 2003: -9.1/-5.5 mm[Hg] at 150/91) "
    "on a circulation that shows 150/91 by raised resistance and stiff arteries, its baroreflex reset, for "
    "each class that may move two parameters; the curve by the half dose (-7.1/-4.4); the beta-blocker by "
    "its heart rate (-12 %).",
)
KOUGIAS_2010 = Reference(
    "kougias_2010",
    "Kougias P, Weakley SM, Yao Q, Lin PH, Chen C. Arterial baroreceptors in the management of systemic "
    "hypertension. Med Sci Monit 2010;16:RA1-RA8.",
)
SYSTOLE_1981 = Reference(
    "systole_1981",
    "Linear relationship between electrical systole, mechanical systole, and heart rate. Chest "
    "1981;80:613-617. Men: electromechanical systole 541 ms - 2.2 ms x heart rate.",
)
HIGGINBOTHAM_1986 = Reference(
    "higginbotham_1986",
    "Higginbotham MB, Morris KG, Williams RS, McHale PA, Coleman RE, Cobb FR. Regulation of stroke volume "
    "during submaximal and maximal upright exercise in normal man. Circ Res 1986;58:281-291.",
)
HAINSWORTH_1988 = Reference(
    "hainsworth_1988",
    "Hainsworth R, Al-Shamma YMH. Cardiovascular responses to upright tilting in healthy subjects. "
    "Clin Sci 1988;74:17-22.",
    "10.1042/cs0740017",
)
PETERSEN_2017 = Reference(
    "petersen_2017",
    "Petersen SE, Aung N, Sanghvi MM, et al. Reference ranges for cardiac structure and function using "
    "cardiovascular magnetic resonance (CMR) in Caucasians from the UK Biobank population cohort. J "
    "Cardiovasc Magn Reson 2017;19:18.",
    "10.1186/s12968-017-0327-9",
)
MCENIERY_2005 = Reference(
    "mceniery_2005",
    "McEniery CM, Yasmin, Hall IR, et al. Normal vascular aging: differential effects on wave reflection and "
    "aortic pulse wave velocity, the Anglo-Cardiff Collaborative Trial (ACCT). J Am Coll Cardiol "
    "2005;46:1753-1760.",
)
MCVEIGH_1999 = Reference(
    "mcveigh_1999",
    "McVeigh GE, Bratteli CW, Morgan DJ, et al. Age-related abnormalities in arterial compliance identified "
    "by pressure pulse contour analysis. Hypertension 1999;33:1392-1398.",
)
FOX_1971 = Reference(
    "fox_1971",
    "Fox SM, Naughton JP, Haskell WL. Physical activity and the prevention of coronary heart disease. "
    "Ann Clin Res 1971;3:404-432.",
)
EXERCISE_ASSUMPTIONS = Reference(
    "exercise_assumptions",
    "Assumptions of this project for full dynamic exercise: vasodilation of muscle, contractility, venous "
    "recruitment and resetting of the baroreflex, of the size that moderate cycling needs to come out.",
)
POSTURE_ASSUMPTIONS = Reference(
    "posture_assumptions",
    "Assumptions of this project for standing up: the middle of the 300 to 800 mL that veins below the heart "
    "take up (Store medisinske leksikon, entry postural blodtrykksrefleks), and 25 cm from heart to carotid "
    "sinus.",
)
BONNEMAIN_2021 = Reference(
    "bonnemain_2021",
    "Bonnemain J, Zeller M, Pegolotti L, Deparis S, Liaudet L. Deep neural network to accurately predict "
    "left ventricular systolic function under mechanical assistance. Front Cardiovasc Med 2021;8:752088.",
    "10.3389/fcvm.2021.752088",
)
ROOT_CALIBRATION = Reference(
    "cardiovascular_root_calibration",
    "Healthy-adult baseline of the closed loop with characteristic impedance at the aortic root, calibrated "
    "for this project to the 14 haemodynamic targets of the 12-state baseline; impedance, contraction share "
    "and activation were chosen so that ejection time, peak aortic flow and the form of the pressure are "
    "normal.",
)
CIRCULATION_PACKAGE = Reference(
    "circulation_0_4_0",
    "Finsberg H. circulation 0.4.0: closed-loop circulation models in Python (class Regazzoni2020, its "
    "defaults), MIT licence; with reference values computed for this project by an implementation of its own "
    "(LSODA at 1e-10).",
)
KORAKIANITIS_SHI_2006 = Reference(
    "korakianitis_shi_2006",
    "Korakianitis T, Shi Y. A concentrated parameter model for the human cardiovascular system including "
    "heart valve dynamics and atrioventricular interaction. Med Eng Phys 2006;28:613-628.",
    "10.1016/j.medengphy.2005.10.004",
)
SHI_HOSE_2009 = Reference(
    "shi_hose_2009",
    "Shi Y, Hose DR. Zero dimensional (lumped parameter) modelling of native human cardiovascular dynamics. "
    "Curated CellML model, Physiome Model Repository, exposure c49d416ae3a5132882e6ea7479ba50f5, 2009 "
    "(CC BY 3.0); with reference values computed for this project by an implementation of its own.",
)
BJORDALSBAKKE_2022 = Reference(
    "bjordalsbakke_2022",
    "Bjørdalsbakke NL, Sturdy JT, Hose DR, Hellevik LR. Parameter estimation for closed-loop lumped "
    "parameter models of the systemic circulation using synthetic data. Math Biosci 2022;343:108731.",
    "10.1016/j.mbs.2021.108731",
)
CIRCULATORY_SYSTEM_MODELS = Reference(
    "circulatory_system_models",
    "CirculatorySystemModels.jl (TS-CUBED, revision 71f7ad3, MIT licence): leaflet valve and one-ventricle "
    "test case, read as published facts.",
)
PHYSIOLIBRARY_SMITH = Reference(
    "physiolibrary_smith_2004",
    "Kulhánek T et al. Physiolibrary-models (revision b045661, Apache-2.0), Smith2004: the parameters that "
    "reproduce the published output table of Smith et al. 2004; with reference values computed for this "
    "project by an implementation of its own (Runge–Kutta at 1e-5 s).",
)
BENZEKRY_2014 = Reference(
    "benzekry_2014",
    "Benzekry S, Lamont C, Beheshti A, et al. Classical mathematical models for description and prediction "
    "of experimental tumor growth. PLoS Comput Biol 2014;10:e1003800.",
    "10.1371/journal.pcbi.1003800",
)
VAGHI_2020 = Reference(
    "vaghi_2020",
    "Vaghi C, Rodallec A, Fanciullino R, et al. Population modeling of tumor growth curves and the reduced "
    "Gompertz model improve prediction of the age of experimental tumors. PLoS Comput Biol 2020;16:e1007178.",
    "10.1371/journal.pcbi.1007178",
)
MOUSE_GROWTH_FITS = Reference(
    "mouse_growth_fits",
    "Medians of least-squares fits, animal by animal, to 10 published growth curves of Lewis lung carcinoma "
    "(96 volumes; Vaghi 2020, Benzekry 2014), computed for this project.",
)
GROWTH_REGRESSION = Reference(
    "growth_regression",
    "Regression values of the growth laws from 1 mm3, computed for this project by an implementation of "
    "its own.",
)
SIMEONI_2004 = Reference(
    "simeoni_2004",
    "Simeoni M, Magni P, Cammia C, et al. Predictive pharmacokinetic-pharmacodynamic modeling of tumor "
    "growth kinetics in xenograft models after administration of anticancer agents. Cancer Res "
    "2004;64:1094-1101.",
    "10.1158/0008-5472.CAN-03-2524",
)
STROEMBERG_HOOKER = Reference(
    "stroemberg_hooker",
    "Strömberg EA, Hooker AC (PMC5660732), Table I: the parameters of Simeoni et al. 2004 by compound and "
    "experiment.",
)
KOCH_2009 = Reference(
    "koch_2009",
    "Koch G, Walz A, Lahu G, Schropp J. Modeling of tumor growth and anticancer effects of combination "
    "therapy. J Pharmacokinet Pharmacodyn 2009;36:179-197.",
    "10.1007/s10928-009-9117-9",
)
SIMEONI_REGRESSION = Reference(
    "simeoni_2004_regression",
    "Regression values of the equations of Simeoni et al. 2004 (paclitaxel, experiment 3), computed for this "
    "project by an implementation of its own.",
)
STEIN_2008 = Reference(
    "stein_2008",
    "Stein WD, Figg WD, Dahut W, et al. Tumor growth rates derived from data for patients in a clinical "
    "trial correlate strongly with patient survival. Oncologist 2008;13:1046-1054.",
    "10.1634/theoncologist.2008-0075",
)
ALK_NSCLC = Reference(
    "alk_nsclc_tumour_growth",
    "External validation of tumour growth inhibition in ALK-positive non-small-cell lung cancer, alectinib "
    "and crizotinib (PMC10363035), read in a published transcription.",
)
STRUEMPER_2025 = Reference(
    "struemper_2025",
    "Struemper H, Rathi C, Muliaditan M, et al. Development of a joint tumor size-overall survival "
    "modeling and simulation framework supporting oncology development decision-making. CPT "
    "Pharmacometrics Syst Pharmacol 2025;14:1006-1017.",
    "10.1002/psp4.70002",
)
STRUEMPER_REGRESSION = Reference(
    "struemper_2025_regression",
    "Regression values of the equations of Struemper et al. 2025, computed for this project by an "
    "implementation of its own.",
)
CHATTERJEE_2016 = Reference(
    "chatterjee_2016",
    "Chatterjee M, Turner DC, Felip E, et al. Systematic evaluation of pembrolizumab dosing in patients with "
    "advanced non-small-cell lung cancer. Ann Oncol 2016;27:1291-1298.",
    "10.1093/annonc/mdw174",
)
CHATTERJEE_REGRESSION = Reference(
    "chatterjee_2016_regression",
    "Regression values of the equation of Chatterjee et al. 2016, computed for this project by an "
    "implementation of its own.",
)
CLARET_2014 = Reference(
    "claret_2014",
    "Claret L, Bruno R, Lu JF, et al. Exploratory modeling and simulation to support development of "
    "motesanib in Asian patients with non-small cell lung cancer based on MONET1 study results. Clin "
    "Pharmacol Ther 2014;95:446-451.",
    "10.1038/clpt.2014.11",
)
CLARET_REGRESSION = Reference(
    "claret_2014_regression",
    "Regression values of the equation of Claret et al. 2014, computed for this project by an "
    "implementation of its own.",
)
BRUNO_2012 = Reference(
    "bruno_2012",
    "Bruno R, Lindbom L, Schaedeli Stark F, et al. Simulations to assess phase II noninferiority trials of "
    "different doses of capecitabine in combination with docetaxel for metastatic breast cancer. CPT "
    "Pharmacometrics Syst Pharmacol 2012;1:e19.",
    "10.1038/psp.2012.20",
)
BRUNO_REGRESSION = Reference(
    "bruno_2012_regression",
    "Regression values of the equations of Bruno et al. 2012 for the typical patient, computed for this "
    "project by an implementation of its own.",
)
RIBBA_2012 = Reference(
    "ribba_2012",
    "Ribba B, Kaloshi G, Peyre M, et al. A tumor growth inhibition model for low-grade glioma treated with "
    "chemotherapy or radiotherapy. Clin Cancer Res 2012;18:5071-5080.",
    "10.1158/1078-0432.CCR-12-0084",
)
MAZZOCCO_2015 = Reference(
    "mazzocco_2015",
    "Mazzocco P, Barthélémy C, Kaloshi G, et al. Prediction of response to temozolomide in low-grade glioma "
    "patients based on tumor size dynamics and genetic characteristics. CPT Pharmacometrics Syst Pharmacol "
    "2015;4:728-737.",
    "10.1002/psp4.54",
)
GLIOMA_REGRESSION = Reference(
    "low_grade_glioma_regression",
    "Regression values of the equations of Ribba et al. 2012 and Mazzocco et al. 2015 for the typical "
    "patient, computed for this project by an implementation of its own.",
)
ZHANG_2022 = Reference(
    "zhang_2022",
    "Zhang J, Cunningham J, Brown J, Gatenby R. Evolution-based mathematical models significantly prolong "
    "response to abiraterone in metastatic castrate-resistant prostate cancer and identify strategies to "
    "further improve outcomes. eLife 2022;11:e76284.",
    "10.7554/eLife.76284",
)
CUNNINGHAM_FITS = Reference(
    "cunningham_fits",
    "Cunningham JJ, Zhang J et al. Fitted starts of the patients of the abiraterone trials, published with "
    "the program (CC0 1.0).",
)
PROKOPIOU_2015 = Reference(
    "prokopiou_2015",
    "Prokopiou S, Moros EG, Poleszczuk J, et al. A proliferation saturation index to predict radiation "
    "response and personalize radiotherapy fractionation. Radiat Oncol 2015;10:159.",
    "10.1186/s13014-015-0465-x",
)
RADIOTHERAPY_REGRESSION = Reference(
    "radiotherapy_regression",
    "Regression values of the equations of Prokopiou et al. 2015 for 30 weekday fractions, computed for this "
    "project by an implementation of its own.",
)
KUZNETSOV_1994 = Reference(
    "kuznetsov_1994",
    "Kuznetsov VA, Makalkin IA, Taylor MA, Perelson AS. Nonlinear dynamics of immunogenic tumors: parameter "
    "estimation and global bifurcation analysis. Bull Math Biol 1994;56:295-321.",
    "10.1007/BF02460644",
)
KUZNETSOV_REGRESSION = Reference(
    "kuznetsov_1994_regression",
    "Equilibria of the equations of Kuznetsov et al. 1994, computed for this project by an implementation "
    "of its own.",
)
OZAWA_2007 = Reference(
    "ozawa_2007",
    "Ozawa K, Minami H, Sato H. Population pharmacokinetic and pharmacodynamic analysis for time courses of "
    "docetaxel-induced neutropenia in Japanese cancer patients. Cancer Sci 2007;98:1985-1992.",
    "10.1111/j.1349-7006.2007.00615.x",
)
ONOUE_2016 = Reference(
    "onoue_2016",
    "Onoue H, Yano I, Tanaka A, Itohara K, Hanai A, Ishiguro H, Motohashi H, Masuda S, Matsubara K. "
    "Significant effect of age on docetaxel pharmacokinetics in Japanese female breast cancer patients by "
    "using the population modeling approach. Eur J Clin Pharmacol 2016; parameters as in the public dose "
    "titration algorithm tuning code (DTAT).",
)
FRIBERG_2002 = Reference(
    "friberg_2002",
    "Friberg LE, Henningsson A, Maas H, Nguyen L, Karlsson MO. Model of chemotherapy-induced "
    "myelosuppression with parameter consistency across drugs. J Clin Oncol 2002;20:4713-4721.",
    "10.1200/JCO.2002.02.140",
)
KLOFT_2006 = Reference(
    "kloft_2006",
    "Kloft C, Wallin J, Henningsson A, Chatelut E, Karlsson MO. Population pharmacokinetic-pharmacodynamic "
    "model for neutropenia with patient subgroup identification: comparison across anticancer drugs. "
    "Clin Cancer Res 2006;12:5481-5490; parameters as in the DDMoRe model DDMODEL00000224 (Netterberg et al. "
    "2017), to all digits.",
)
CROMBAG_2019 = Reference(
    "crombag_2019",
    "Crombag MBS, de Vries Schultink AHM, Koolen SLW, et al. Impact of older age on the exposure of "
    "paclitaxel: a population pharmacokinetic study. Pharm Res 2019;36:33; parameters as reprinted in "
    "Table 1 of Janssen JM et al. Clin Pharmacokinet 2023;62:1157-1167.",
    "10.1007/s40262-023-01263-1",
)
URIEN_2005 = Reference(
    "urien_2005",
    "Urien S, Rezai K, Lokiec F. Pharmacokinetic modelling of 5-FU production from capecitabine - a "
    "population study in 40 adult patients with metastatic cancer. J Pharmacokinet Pharmacodyn "
    "2005;32:817-833.",
    "10.1007/s10928-005-0018-2",
)
OSTERMANN_2004 = Reference(
    "ostermann_2004",
    "Ostermann S, Csajka C, Buclin T, et al. Plasma and cerebrospinal fluid population pharmacokinetics of "
    "temozolomide in malignant glioma patients. Clin Cancer Res 2004;10:3728-3736 (abstract).",
    "10.1158/1078-0432.CCR-03-0807",
)
AHAMADI_2017 = Reference(
    "ahamadi_2017",
    "Ahamadi M, Freshwater T, Prohn M, et al. Model-based characterization of the pharmacokinetics of "
    "pembrolizumab: a humanized anti-PD-1 monoclonal antibody in advanced solid tumors. CPT Pharmacometrics "
    "Syst Pharmacol 2017;6:49-57.",
    "10.1002/psp4.12139",
)
PEREZ_BLANCO_2016 = Reference(
    "perez_blanco_2016",
    "Perez-Blanco JS, Santos-Buelga D, Fernandez de Gatta MM, et al. Population pharmacokinetics of "
    "doxorubicin and doxorubicinol in patients diagnosed with non-Hodgkin's lymphoma. Br J Clin Pharmacol "
    "2016;82:1517-1527.",
    "10.1111/bcp.13070",
)
KUNARAJAH_2017 = Reference(
    "kunarajah_2017",
    "Kunarajah K, Hennig S, Norris RLG, et al. Population pharmacokinetic modelling of doxorubicin and "
    "doxorubicinol in children with cancer: is there a relationship with cardiac troponin profiles? Cancer "
    "Chemother Pharmacol 2017;79:1209-1217.",
    "10.1007/s00280-017-3309-6",
)
BRUNO_2005 = Reference(
    "bruno_2005",
    "Bruno R, Washington CB, Lu JF, Lieberman G, Banken L, Klein P. Population pharmacokinetics of "
    "trastuzumab in patients with HER2+ metastatic breast cancer. Cancer Chemother Pharmacol "
    "2005;56:361-369.",
    "10.1007/s00280-005-1026-z",
)
DE_VRIES_SCHULTINK_2018 = Reference(
    "de_vries_schultink_2018",
    "de Vries Schultink AHM, Boekhout AH, Gietema JA, et al. Pharmacodynamic modeling of cardiac "
    "biomarkers in breast cancer patients treated with anthracycline and trastuzumab regimens. J "
    "Pharmacokinet Pharmacodyn 2018;45:431-442.",
    "10.1007/s10928-018-9579-8",
)
CTCAE_5 = Reference(
    "ctcae_5",
    "National Cancer Institute. Common Terminology Criteria for Adverse Events (CTCAE), version 5.0, "
    "27 November 2017. US Department of Health and Human Services.",
)
ATOMIC_WEIGHTS = Reference(
    "atomic_weights",
    "Molar mass from the molecular formula with the standard atomic weights of IUPAC (2021).",
)
PHARMACOLOGY_REGRESSION = Reference(
    "pharmacology_regression",
    "Regression values of the published equations and parameters of drugs and their toxicity for the typical "
    "patient, computed for this project by an implementation of its own (LSODA at 1e-9 to 1e-10, piecewise "
    "between doses).",
)
